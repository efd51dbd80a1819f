//! Addresses: which store, which bucket, which folder or object in it.

use std::fmt;
use std::path::Path;

use crate::StorageError;

/// A kind of object store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Amazon S3, and what speaks like it.
    S3,
    /// Google Cloud Storage.
    Google,
    /// Azure Blob Storage; a bucket is a container there.
    Azure,
}

impl Service {
    const ALL: [Self; 3] = [Self::S3, Self::Google, Self::Azure];

    /// How addresses of it begin.
    pub fn scheme(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Google => "gs",
            Self::Azure => "az",
        }
    }

    /// The variables credentials and places are read from, for messages.
    pub fn variables(self) -> &'static str {
        match self {
            Self::S3 => {
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (AWS_SESSION_TOKEN), or AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE; \
                 AWS_REGION, AWS_ENDPOINT"
            }
            Self::Google => "GOOGLE_APPLICATION_CREDENTIALS or GOOGLE_SERVICE_ACCOUNT",
            Self::Azure => {
                "AZURE_STORAGE_ACCOUNT_NAME with AZURE_STORAGE_ACCOUNT_KEY, AZURE_STORAGE_SAS_TOKEN or AZURE_CLIENT_ID and its like"
            }
        }
    }
}

/// A folder or an object in a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Which kind of store.
    pub service: Service,
    /// The bucket, or the container.
    pub bucket: String,
    /// Names in it from the top, without slashes at the ends; empty for the bucket itself.
    pub key: String,
}

/// True if a path on a command line or in a scenario is an address (`scheme://…`) and not a file of this machine.
pub fn is_address(path: &Path) -> bool {
    path.to_str().is_some_and(|text| scheme_of(text).is_some())
}

/// The scheme and what follows; drives of Windows have one letter.
fn scheme_of(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once("://")?;
    let is_scheme = scheme.len() > 1
        && scheme.starts_with(|letter: char| letter.is_ascii_alphabetic())
        && scheme.chars().all(|letter| letter.is_ascii_alphanumeric() || "+-.".contains(letter));
    is_scheme.then_some((scheme, rest))
}

impl Address {
    /// Reads `s3://BUCKET/PREFIX`, `gs://BUCKET/PREFIX` or `az://CONTAINER/PREFIX`. The error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, StorageError> {
        let wrong = |problem: &str| StorageError::input(format!("{text}: {problem}"));
        let (scheme, rest) =
            scheme_of(text).ok_or_else(|| wrong("is no address; they look like s3://bucket/prefix"))?;
        let service = Service::ALL.into_iter().find(|service| service.scheme() == scheme).ok_or_else(|| {
            let meant = match scheme {
                "s3a" | "s3n" => Some("s3"),
                "gcs" => Some("gs"),
                "azure" | "abfs" | "abfss" | "wasb" | "wasbs" => Some("az"),
                other => names::nearest(other, Service::ALL.map(Service::scheme)),
            };
            let hint = meant.map(|meant| format!("; did you mean `{meant}://`?")).unwrap_or_default();
            wrong(&format!("`{scheme}://` is not read or written{hint} (one of s3://, gs://, az://)"))
        })?;
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.contains('@') || bucket.contains(':') {
            return Err(wrong(&format!(
                "what stands before the first slash is the bucket; credentials and hosts come from the environment: {}",
                service.variables()
            )));
        }
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-._".contains(letter);
        if bucket.is_empty() || !bucket.chars().all(is_plain) {
            return Err(wrong("needs the name of a bucket, as in s3://bucket/prefix"));
        }
        let key = key.strip_suffix('/').unwrap_or(key);
        if key.contains(['?', '#', '\\']) || key.chars().any(char::is_control) {
            return Err(wrong("`?`, `#`, `\\` and control characters have no place in it"));
        }
        if !key.is_empty() && key.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return Err(wrong("has an empty part, `.` or `..`, which object stores do not resolve"));
        }
        Ok(Self { service, bucket: bucket.to_owned(), key: key.to_owned() })
    }

    /// The address of a name below this one.
    pub fn join(&self, name: &str) -> Self {
        let key = if self.key.is_empty() { name.to_owned() } else { format!("{}/{name}", self.key) };
        Self { key, ..self.clone() }
    }

    /// The folder an object stands in and its name there; `None` for a bucket.
    pub fn split(&self) -> Option<(Self, &str)> {
        let (folder, name) = self.key.rsplit_once('/').unwrap_or(("", &self.key));
        (!name.is_empty()).then(|| (Self { key: folder.to_owned(), ..self.clone() }, name))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}://{}", self.service.scheme(), self.bucket)?;
        if self.key.is_empty() { Ok(()) } else { write!(to, "/{}", self.key) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_come_apart_and_together() {
        let address = Address::parse("s3://sweeps/a/b/").expect("an address");
        assert_eq!((address.service, address.bucket.as_str(), address.key.as_str()), (Service::S3, "sweeps", "a/b"));
        assert_eq!(address.join("c").to_string(), "s3://sweeps/a/b/c");
        assert_eq!(
            address.split().map(|(folder, name)| (folder.to_string(), name)),
            Some(("s3://sweeps/a".into(), "b"))
        );
        let bucket = Address::parse("gs://sweeps").expect("an address");
        assert_eq!((bucket.join("a").to_string(), bucket.split()), ("gs://sweeps/a".to_owned(), None));
    }

    #[test]
    fn paths_of_this_machine_are_no_addresses() {
        let is = |text: &str| is_address(Path::new(text));
        assert_eq!(["s3://b", "https://x/y", "file:///x"].map(is), [true; 3]);
        assert_eq!(["results/s3", "C://results", "/a/b", "a b://c", "://x", "s3:/b"].map(is), [false; 6]);
    }

    #[test]
    fn slips_are_told_with_what_was_meant() {
        let told = |text: &str| Address::parse(text).expect_err(text).message;
        assert!(told("s3a://b/c").contains("did you mean `s3://`?"));
        assert!(told("gcs://b/c").contains("did you mean `gs://`?"));
        assert!(told("https://b.s3.amazonaws.com/c").contains("one of s3://, gs://, az://"));
        assert!(told("s3://KEY:SECRET@b/c").contains("AWS_ACCESS_KEY_ID"));
        assert!(told("s3:///c").contains("needs the name of a bucket"));
        assert!(told("s3://b/../c").contains("object stores do not resolve"));
        assert!(told("s3://b/c?region=x").contains("no place in it"));
    }
}
