//! What a store's refusal means, and what to do about it.

use std::error::Error as _;

use object_store::Error;

use crate::{Address, StorageError};

/// What was being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// Reading the environment.
    Opening,
    /// Listing a folder.
    Listing,
    /// Reading an object.
    Reading,
    /// Writing one.
    Writing,
    /// Removing one.
    Removing,
}

impl Doing {
    fn words(self) -> &'static str {
        match self {
            Self::Opening => "reach it",
            Self::Listing => "list it",
            Self::Reading => "read it",
            Self::Writing => "write to it",
            Self::Removing => "remove from it",
        }
    }

    /// The message for what came of it.
    pub fn failed(self, address: &Address, error: &Error) -> StorageError {
        let text = whole(error);
        let said = said(&text);
        let (variables, bucket) = (address.service.variables(), &address.bucket);
        if self == Self::Opening {
            return StorageError::input(format!(
                "{address}: {text}; the environment says how to reach it: {variables}"
            ));
        }
        match (status(&text), error) {
            (_, _) if is_no_bucket(&text) => StorageError::input(format!(
                "{address}: there is no bucket `{bucket}` (404{said}): make it, or mend the address; where it is the environment says: {variables}"
            )),
            (_, Error::NotFound { .. }) => StorageError::input(format!("{address}: is not there{said}")),
            (_, Error::Precondition { .. }) => {
                StorageError::environment(format!("{address}: was replaced while it was read; start again"))
            }
            (Some(401), _) | (_, Error::Unauthenticated { .. }) => StorageError::input(format!(
                "{address}: the credentials are not accepted (401{said}); they are read from the environment: {variables}"
            )),
            (Some(403), _) | (_, Error::PermissionDenied { .. }) => StorageError::input(format!(
                "{address}: may not {} (403{said}); it takes credentials that may, from the environment: {variables}",
                self.words()
            )),
            (Some(400), _) => StorageError::input(format!(
                "{address}: a request is refused (400{said}); is the region right? The environment says it: {variables}"
            )),
            _ if text.contains("redirect without LOCATION") => StorageError::input(format!(
                "{address}: the bucket is in another region; the environment says which: {variables}"
            )),
            _ if text.contains("without TLS") => StorageError::input(format!("{address}: {}", cut(&text))),
            (Some(status), _) => StorageError::environment(format!(
                "{address}: answers {status}{said} when asked to {}; the store is not well: try again later",
                self.words()
            )),
            _ => StorageError::environment(format!(
                "{address}: no answer when asked to {}: {}; is it reachable from here, and is the endpoint right? The environment says it: {variables}",
                self.words(),
                cut(&innermost(error))
            )),
        }
    }
}

/// An error with what is behind it, once each.
fn whole(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        source = error.source();
    }
    text
}

/// What happened at the bottom: the words of the network.
fn innermost(error: &Error) -> String {
    let mut last: &dyn std::error::Error = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}

/// The status in the words of the client.
fn status(text: &str) -> Option<u16> {
    let (_, after) = text.split_once("status code: ")?;
    after.get(..3)?.parse().ok()
}

fn is_no_bucket(text: &str) -> bool {
    // S3's, Azure's and Google's words.
    ["NoSuchBucket", "ContainerNotFound", "The specified bucket does not exist"].iter().any(|word| text.contains(word))
}

/// What the store says of it, if it says anything: `: The specified bucket does not exist`.
fn said(text: &str) -> String {
    let between = |open: &str, close: &str| {
        let (_, after) = text.split_once(open)?;
        Some(after.split_once(close)?.0.trim())
    };
    let found = between("<Message>", "</Message>").or_else(|| between("\"message\": \"", "\""));
    found.filter(|found| !found.is_empty()).map(|found| format!(": {}", cut(found))).unwrap_or_default()
}

/// At most a line or two.
fn cut(text: &str) -> String {
    const LETTERS_MAX: usize = 300;
    let line: String = text.chars().take(LETTERS_MAX).map(|letter| if letter == '\n' { ' ' } else { letter }).collect();
    line.trim_end_matches('.').to_owned()
}
