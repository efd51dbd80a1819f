//! `scalelab import`: scenarios of what really was.

mod cold_starts;
mod kubectl;
mod prometheus;
mod run_kubectl;
mod serving;
mod tables;
pub mod when;

use jiff::Timestamp;
use live::{Connection, LiveError, Prometheus, Whose};

use crate::args::{ConnectionArgs, Import};
use crate::failure::{Failure, Outcome, Result};

/// Clocks further apart are told of.
const SKEW_MS: i64 = 30_000;

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

/// A warning of the server in words.
pub fn warned(warning: &str) -> String {
    format!("the server warns that its answers may lack something: {}", one_line(warning))
}

/// A stranger's text, which stays on its line of a file or terminal.
fn one_line(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

/// The time of the server, which is that of its samples; a clock that is far from this machine's is told of.
pub fn now(server: &Prometheus) -> Result<Timestamp> {
    let (there, skew) = clock(server)?;
    skew.iter().for_each(|note| eprintln!("note: {note}"));
    Ok(there)
}

/// The same, and what is to be told of it.
pub fn clock(server: &Prometheus) -> Result<(Timestamp, Option<String>)> {
    let here = Timestamp::now();
    let there = server.clock().map_err(failure)?.unwrap_or(here);
    let skew = there.as_millisecond() - here.as_millisecond();
    let (by, way) = (when::length(skew.abs()), if skew > 0 { "ahead of" } else { "behind" });
    let note = format!("the server's clock is {by} {way} this machine's; times are the server's");
    Ok((there, (skew.abs() > SKEW_MS).then_some(note)))
}
