//! `scalelab import`: scenarios of what really was.

mod cold_starts;
mod kubectl;
mod prometheus;
mod run_kubectl;
mod tables;
mod when;

use live::{Connection, LiveError, Prometheus, Whose};

use crate::args::{ConnectionArgs, Import};
use crate::failure::{Failure, Outcome, Result};

/// Does what the subcommand says.
pub fn import(args: &Import) -> Result<Outcome> {
    match args {
        Import::Kubectl(args) => kubectl::kubectl(args),
        Import::Prometheus(args) => prometheus::prometheus(args),
    }
}

/// The server that the arguments name.
pub fn server(args: &ConnectionArgs) -> Result<Prometheus> {
    let connection = Connection {
        url: args.url.clone(),
        token_file: args.token_file.clone(),
        ca_file: args.ca_file.clone(),
        timeout: args.timeout,
        retries: args.retries,
    };
    let is_open = args.url.starts_with("http://")
        && !["127.0.0.1", "localhost", "[::1]"].iter().any(|host| args.url[7..].starts_with(host));
    if args.token_file.is_some() && is_open {
        eprintln!("note: the token goes over the network unencrypted, as --url is http");
    }
    Prometheus::new(&connection).map_err(failure)
}

/// The failure as a command ends with it.
pub fn failure(error: LiveError) -> Failure {
    match error.whose {
        Whose::Input => Failure::input(error),
        Whose::Environment => Failure::Environment(error.into()),
    }
}
