//! The HTTP side: one question, one answer, within bounds.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use ureq::config::RedirectAuthHeaders;
use ureq::http::Uri;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Error};

use crate::answer;
use crate::error::LiveError;

/// The most an answer may weigh: what a Prometheus gives of its own accord is far below.
const BODY_MAX: u64 = 512 << 20;
/// A longer question is sent as a form, where the API takes one: proxies refuse long addresses.
const ADDRESS_MAX: usize = 3_000;
/// The first wait before a question is asked again; each further one is twice as long.
const PAUSE: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(8);

/// How to reach a Prometheus.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Where it is, up to and without `/api/v1`.
    pub url: String,
    /// A file whose content is sent as a bearer token.
    pub token_file: Option<PathBuf>,
    /// A PEM file with the certificates to trust in place of the usual ones.
    pub ca_file: Option<PathBuf>,
    /// How long one question may take, from the first byte to the last.
    pub timeout: Duration,
    /// How often a question is asked again when the failure may pass.
    pub retries: u32,
}

/// A Prometheus, or what speaks like one.
pub struct Prometheus {
    agent: Agent,
    base: String,
    authorization: Option<String>,
    retries: u32,
    timeout: Duration,
    warnings: RefCell<BTreeSet<String>>,
}

impl Prometheus {
    /// Checks what is given; nothing is asked yet.
    pub fn new(connection: &Connection) -> Result<Self, LiveError> {
        let base = base(&connection.url)?;
        let authorization = connection.token_file.as_ref().map(token).transpose()?;
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(connection.timeout))
            .redirect_auth_headers(RedirectAuthHeaders::SameHost)
            .user_agent(concat!("scalelab/", env!("CARGO_PKG_VERSION")));
        if let Some(file) = &connection.ca_file {
            let roots = RootCerts::Specific(Arc::new(certificates(file)?));
            config = config.tls_config(TlsConfig::builder().root_certs(roots).build());
        }
        let agent = config.build().into();
        Ok(Self {
            agent,
            base,
            authorization,
            retries: connection.retries,
            timeout: connection.timeout,
            warnings: RefCell::default(),
        })
    }

    /// Where it is, as messages say it.
    pub fn url(&self) -> &str {
        &self.base
    }

    /// What it has warned of since it was last asked for its warnings: answers that may lack something.
    pub fn take_warnings(&self) -> BTreeSet<String> {
        self.warnings.take()
    }

    /// The server's clock, to the second; `None` if it does not tell.
    pub fn clock(&self) -> Result<Option<Timestamp>, LiveError> {
        let (_, date) = self.get("query", &[("query", "vector(1)")])?;
        Ok(date)
    }

    /// The value of an expression at a time (milliseconds since 1970), or now. A range selector gives the samples as they were scraped.
    pub fn query(&self, expression: &str, at_ms: Option<i64>) -> Result<String, LiveError> {
        let at = at_ms.map(seconds);
        let mut parameters = vec![("query", expression)];
        parameters.extend(at.as_deref().map(|at| ("time", at)));
        self.get("query", &parameters).map(|(body, _)| body)
    }

    /// The values of an expression at `from`, `from + step`, … up to `to`.
    pub fn query_range(&self, expression: &str, from_ms: i64, to_ms: i64, step_ms: i64) -> Result<String, LiveError> {
        let (from, to, step) = (seconds(from_ms), seconds(to_ms), seconds(step_ms));
        let parameters = [("query", expression), ("start", &from), ("end", &to), ("step", &step)];
        self.get("query_range", &parameters).map(|(body, _)| body)
    }

    /// Values of a label among the series that match, in a stretch of time.
    pub fn label_values(
        &self,
        label: &str,
        selector: &str,
        (from_ms, to_ms): (i64, i64),
    ) -> Result<Vec<String>, LiveError> {
        let (from, to) = (seconds(from_ms), seconds(to_ms));
        let parameters = [("match[]", selector), ("start", from.as_str()), ("end", &to)];
        let (body, _) = self.get(&format!("label/{label}/values"), &parameters)?;
        answer::words(&body)
    }

    /// Labels of the series that match, in a stretch of time.
    pub fn series(
        &self,
        selector: &str,
        (from_ms, to_ms): (i64, i64),
    ) -> Result<Vec<BTreeMap<String, String>>, LiveError> {
        let (from, to) = (seconds(from_ms), seconds(to_ms));
        let parameters = [("match[]", selector), ("start", from.as_str()), ("end", &to)];
        let (body, _) = self.get("series", &parameters)?;
        answer::label_sets(&body)
    }

    fn get(&self, path: &str, parameters: &[(&str, &str)]) -> Result<(String, Option<Timestamp>), LiveError> {
        let mut pause = PAUSE;
        for _ in 0..self.retries {
            match self.once(path, parameters) {
                Err(error) if error.is_passing => sleep(pause),
                done => return done,
            }
            pause = (pause * 2).min(PAUSE_MAX);
        }
        self.once(path, parameters).map_err(|mut error| {
            if error.is_passing && self.retries > 0 {
                error.message = format!("{} (asked {} times)", error.message, self.retries + 1);
            }
            error
        })
    }

    fn once(&self, path: &str, parameters: &[(&str, &str)]) -> Result<(String, Option<Timestamp>), LiveError> {
        let url = format!("{}/api/v1/{path}", self.base);
        let length: usize = parameters.iter().map(|(_, value)| value.len()).sum();
        let authorization = self.authorization.iter().map(|value| ("Authorization", value));
        let response = if length > ADDRESS_MAX && !path.starts_with("label/") {
            let request =
                authorization.fold(self.agent.post(url), |request, (name, value)| request.header(name, value));
            request.send_form(parameters.iter().copied())
        } else {
            let request = self.agent.get(url).query_pairs(parameters.iter().copied());
            authorization.fold(request, |request, (name, value)| request.header(name, value)).call()
        };
        let mut response = response.map_err(|error| self.unreachable(&error))?;
        let date = response.headers().get("date").and_then(|date| date.to_str().ok());
        let date = date.and_then(|date| rfc2822::parse(date).ok()).map(|date| date.timestamp());
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(BODY_MAX).read_to_string();
        if status != 200 {
            return Err(self.refused(status, &body.unwrap_or_default()));
        }
        let body = body.map_err(|error| self.unreachable(&error))?;
        self.warnings.borrow_mut().extend(answer::warnings(&body));
        Ok((body, date))
    }

    fn unreachable(&self, error: &Error) -> LiveError {
        let at = &self.base;
        match error {
            Error::BadUri(_) | Error::Http(_) => LiveError::input(format!("--url {at}: {error}")),
            Error::TooManyRedirects | Error::RedirectFailed => LiveError::input(format!(
                "{at}: sends from page to page: is it the address of the API, and does it want --token-file?"
            )),
            Error::HostNotFound => LiveError::environment(format!("{at}: no host of that name is known; check --url")),
            Error::Timeout(_) => LiveError::passing(format!(
                "{at}: no whole answer within {:?}; --timeout allows more, --chunk asks for less at once",
                self.timeout
            )),
            Error::BodyExceedsLimit(_) => LiveError::environment(format!(
                "{at}: an answer above {} MiB; --chunk asks for less at once",
                BODY_MAX >> 20
            )),
            Error::Rustls(_) | Error::Tls(_) | Error::Pem(_) => LiveError::environment(format!(
                "{at}: {error}; --ca-file names the certificates to trust where they are not public ones"
            )),
            Error::Io(io) if io.to_string().contains("certificate") => LiveError::environment(format!(
                "{at}: {io}; --ca-file names the certificates to trust where they are not public ones"
            )),
            Error::Io(io) if io.to_string().contains("corrupt message") => {
                LiveError::input(format!("{at}: speaks no TLS there: is it http, and not https?"))
            }
            Error::Io(io) if io.to_string().contains("lookup address") => {
                LiveError::passing(format!("{at}: no host of that name is known ({io}); check --url"))
            }
            Error::Io(io) if io.kind() == std::io::ErrorKind::InvalidData => answer::wrong(io),
            Error::Decompress(..) => answer::wrong(error),
            other => LiveError::passing(format!(
                "{at}: {other}; is it running, and is it reachable from here (kubectl port-forward)?"
            )),
        }
    }

    fn refused(&self, status: u16, body: &str) -> LiveError {
        let at = &self.base;
        let said = answer::error_in(body).map(|error| format!(": {error}")).unwrap_or_default();
        match status {
            401 | 403 if self.authorization.is_none() => {
                LiveError::input(format!("{at}: answers {status}{said}; it wants to know who asks: --token-file FILE"))
            }
            401 | 403 => {
                LiveError::input(format!("{at}: answers {status}{said}; the token of --token-file is not accepted"))
            }
            404 => LiveError::input(format!(
                "{at}: has no Prometheus API (404); the URL needs the path under which it is served, without `/api/v1`"
            )),
            400 if said.is_empty() => LiveError::input(format!(
                "{at}: answers 400 (`{}`): is it the API's address, and is it https?",
                answer::beginning(body)
            )),
            400 => LiveError::input(format!("{at}: a query is refused{said}")).of_question(),
            422 => LiveError::environment(format!("{at}: a query fails there{said}; --chunk asks for less at once"))
                .of_question(),
            429 => LiveError::passing(format!(
                "{at}: answers 429{said}; it is asked too much: --chunk asks for less at once, or try again later"
            )),
            500..=599 => LiveError::passing(format!(
                "{at}: answers {status}{said}; the server, or what stands before it, is not well"
            )),
            _ => LiveError::input(format!("{at}: answers {status}{said}: is it the address of a Prometheus' API?")),
        }
    }
}

fn seconds(at_ms: i64) -> String {
    format!("{}.{:03}", at_ms.div_euclid(1_000), at_ms.rem_euclid(1_000))
}

/// The address without what is added to it.
fn base(url: &str) -> Result<String, LiveError> {
    let wrong =
        |reason: &str| LiveError::input(format!("--url: {reason}, as in http://127.0.0.1:9090 or https://HOST/PATH"));
    let uri: Uri = url.parse().map_err(|_| wrong("is no address"))?;
    let authority = uri.authority().ok_or_else(|| wrong("needs a scheme and a host"))?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(wrong("needs `http` or `https`"));
    }
    if authority.as_str().contains('@') {
        return Err(LiveError::input(
            "--url: a password has no place in an address, which messages and files repeat; --token-file takes a token",
        ));
    }
    if uri.query().is_some() || url.contains('#') {
        return Err(wrong("ends before the `?` or `#`"));
    }
    if authority.port().is_none()
        && authority.as_str().rsplit_once(']').map_or(authority.as_str(), |(_, port)| port).contains(':')
    {
        return Err(wrong("needs a port of 1 to 65535"));
    }
    let base = url.trim_end_matches('/');
    Ok(base.strip_suffix("/api/v1").unwrap_or(base).to_owned())
}

fn token(file: &PathBuf) -> Result<String, LiveError> {
    let shown = file.display();
    let text =
        std::fs::read_to_string(file).map_err(|error| LiveError::input(format!("--token-file {shown}: {error}")))?;
    let token = text.trim();
    let is_token = !token.is_empty() && token.chars().all(|letter| letter.is_ascii_graphic());
    is_token.then(|| format!("Bearer {token}")).ok_or_else(|| {
        LiveError::input(format!("--token-file {shown}: holds no token, which is one line of letters without spaces"))
    })
}

fn certificates(file: &PathBuf) -> Result<Vec<Certificate<'static>>, LiveError> {
    let shown = file.display();
    let wrong = |reason: String| LiveError::input(format!("--ca-file {shown}: {reason}"));
    let pem = std::fs::read(file).map_err(|error| wrong(error.to_string()))?;
    let mut found = Vec::new();
    for item in parse_pem(&pem) {
        match item {
            Ok(PemItem::Certificate(certificate)) => found.push(certificate),
            Ok(_) => {}
            Err(error) => return Err(wrong(error.to_string())),
        }
    }
    if found.is_empty() { Err(wrong("holds no certificate in PEM form".to_owned())) } else { Ok(found) }
}
