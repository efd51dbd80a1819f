//! The HTTP side of the protocols: one request, one answer, by a client that blocks, on threads of the runtime that may.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http_body_util::BodyExt as _;
use object_store::ClientConfigKey;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
};
use ureq::Agent;
use ureq::http::{Method, Request, Response, Uri};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

/// The most an answer may weigh: objects are read in pieces far below it.
const ANSWER_MAX: u64 = 256 << 20;
/// How long until there is a connection, unless the environment says otherwise (`AWS_CONNECT_TIMEOUT` and its like).
const CONNECT: Duration = Duration::from_secs(10);
/// How long a whole request may take, unless the environment says otherwise (`AWS_TIMEOUT` and its like).
const WHOLE: Duration = Duration::from_mins(1);
/// A PEM file with the certificates to trust in place of the public ones, as other tools of S3 know it.
const CERTIFICATES: &str = "AWS_CA_BUNDLE";

/// Makes clients for `object_store`.
#[derive(Debug)]
pub struct Connector;

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let time = |key, default| {
            let text = options.get_config_value(&key);
            text.and_then(|text| seconds(&text)).unwrap_or(default)
        };
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            // Redirects of buckets are answers: they say that the region is another.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(time(ClientConfigKey::ConnectTimeout, CONNECT)))
            .timeout_global(Some(time(ClientConfigKey::Timeout, WHOLE)))
            // Pieces of objects are asked for by place: nothing may be unpacked on the way.
            .accept_encoding("identity")
            .user_agent(concat!("scalelab/", env!("CARGO_PKG_VERSION")));
        if let Some(file) = std::env::var_os(CERTIFICATES) {
            let wrong = |problem: String| object_store::Error::Generic {
                store: CERTIFICATES,
                source: format!("{CERTIFICATES} {}: {problem}", file.display()).into(),
            };
            let pem = std::fs::read(&file).map_err(|error| wrong(error.to_string()))?;
            let roots = RootCerts::Specific(Arc::new(certificates(&pem).map_err(wrong)?));
            config = config.tls_config(TlsConfig::builder().root_certs(roots).build());
        }
        let may_be_plain = options.get_config_value(&ClientConfigKey::AllowHttp).as_deref() == Some("true");
        Ok(HttpClient::new(Client { agent: config.build().into(), may_be_plain }))
    }
}

/// A duration as the options write it back: `30 seconds`, `1m 30s`; `None` if it is not one.
fn seconds(text: &str) -> Option<Duration> {
    let mut sum = Duration::ZERO;
    for part in text.split_whitespace() {
        let end = part.find(|letter: char| !letter.is_ascii_digit())?;
        let (number, unit) = part.split_at(end);
        let number: u64 = number.parse().ok()?;
        sum += match unit {
            "ms" => Duration::from_millis(number),
            "s" | "seconds" | "second" => Duration::from_secs(number),
            "m" | "minutes" | "minute" => Duration::from_secs(number * 60),
            "h" | "hours" | "hour" => Duration::from_secs(number * 3_600),
            _ => return None,
        };
    }
    (sum > Duration::ZERO).then_some(sum)
}

fn certificates(pem: &[u8]) -> Result<Vec<Certificate<'static>>, String> {
    let mut found = Vec::new();
    for item in parse_pem(pem) {
        if let PemItem::Certificate(certificate) = item.map_err(|error| error.to_string())? {
            found.push(certificate);
        }
    }
    if found.is_empty() { Err("holds no certificate in PEM form".to_owned()) } else { Ok(found) }
}

#[derive(Debug)]
struct Client {
    agent: Agent,
    /// Whether hosts other than this machine may be asked without TLS.
    may_be_plain: bool,
}

#[async_trait]
impl HttpService for Client {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (parts, body) = request.into_parts();
        if parts.uri.scheme_str() == Some("http") && !self.may_be_plain && !is_this_machine(&parts.uri) {
            let problem = format!(
                "{}: http without TLS to another machine; https, or *_ALLOW_HTTP=true where the network is yours",
                parts.uri.host().unwrap_or_default()
            );
            return Err(HttpError::new(HttpErrorKind::Unknown, std::io::Error::other(problem)));
        }
        let body = body.collect().await?.to_bytes();
        let agent = self.agent.clone();
        let asked = tokio::task::spawn_blocking(move || {
            let has_body = !body.is_empty() || matches!(parts.method, Method::PUT | Method::POST);
            if has_body {
                answer(agent.run(Request::from_parts(parts, &body[..])))
            } else {
                answer(agent.run(Request::from_parts(parts, ())))
            }
        });
        asked.await.map_err(|error| HttpError::new(HttpErrorKind::Unknown, error))?
    }
}

/// The whole of an answer.
fn answer(asked: Result<Response<ureq::Body>, ureq::Error>) -> Result<HttpResponse, HttpError> {
    let (parts, mut body) = asked.map_err(failure)?.into_parts();
    let bytes = body.with_config().limit(ANSWER_MAX).read_to_vec().map_err(failure)?;
    Ok(Response::from_parts(parts, bytes.into()))
}

/// What may pass by itself is told apart from what will not.
fn failure(error: ureq::Error) -> HttpError {
    use std::io::ErrorKind as Io;
    let kind = match &error {
        ureq::Error::Timeout(_) => HttpErrorKind::Timeout,
        ureq::Error::HostNotFound | ureq::Error::ConnectionFailed => HttpErrorKind::Connect,
        ureq::Error::Io(io) => match io.kind() {
            Io::TimedOut | Io::WouldBlock => HttpErrorKind::Timeout,
            Io::ConnectionRefused | Io::HostUnreachable | Io::NetworkUnreachable => HttpErrorKind::Connect,
            Io::ConnectionReset | Io::ConnectionAborted | Io::BrokenPipe | Io::UnexpectedEof => {
                HttpErrorKind::Interrupted
            }
            _ => HttpErrorKind::Unknown,
        },
        _ => HttpErrorKind::Unknown,
    };
    HttpError::new(kind, error)
}

fn is_this_machine(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environments_times_are_read_back() {
        let key = |text: &str| {
            let options = ClientOptions::new().with_config(ClientConfigKey::Timeout, text);
            options.get_config_value(&ClientConfigKey::Timeout).and_then(|text| seconds(&text))
        };
        assert_eq!(key("90s"), Some(Duration::from_secs(90)));
        assert_eq!(key("1h 5m"), Some(Duration::from_mins(65)));
        assert_eq!(key("250ms"), Some(Duration::from_millis(250)));
    }

    #[test]
    fn plain_http_is_for_this_machine() {
        let is = |text: &str| is_this_machine(&text.parse().expect("an address"));
        assert_eq!(["http://127.0.0.1:5000/b", "http://localhost/b", "http://[::1]:9000/b"].map(is), [true; 3]);
        assert_eq!(["http://10.0.0.1/b", "http://localhost.example/b"].map(is), [false; 2]);
    }
}
