//! `--save-requests`: a file part per policy and service, filled while the run goes on, put together at the end.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use cluster::RequestSink;
use record::RequestRow;
use report::{FinishedPart, RequestsPart};

use crate::failure::{OrEnvironment, Result};

/// One part, of a policy and a service: to be filled, being filled by its run, or done.
enum Part {
    Open(Box<RequestsPart>),
    Taken,
    Done(io::Result<Box<FinishedPart>>),
}

/// The parts of all policies, service by service. Dropped before [`SavedRequests::write`], they leave nothing behind.
pub struct SavedRequests {
    folder: PathBuf,
    is_new: bool,
    parts: Vec<Vec<Arc<Mutex<Part>>>>,
}

impl SavedRequests {
    /// Empty parts below `folder`, which is created if it is missing.
    pub fn create(folder: &Path, policies: &[&str], services: &[&str]) -> Result<Self> {
        let is_new = !folder.exists();
        let part = |policy: &str, service: &str| {
            // A lone service has no column.
            let service = (services.len() > 1).then_some(service);
            let part = RequestsPart::create(folder, (policy, service))?;
            Ok(Arc::new(Mutex::new(Part::Open(Box::new(part)))))
        };
        let of_policy = |policy: &&str| services.iter().map(|service| part(policy, service)).collect();
        let parts: io::Result<Vec<Vec<_>>> = policies.iter().map(of_policy).collect();
        let parts = parts.or_environment(&format!("writing {}", folder.display()))?;
        Ok(Self { folder: folder.to_owned(), is_new, parts })
    }

    /// Where the run of policy number `policy` puts its rows, service by service; once for each policy.
    pub fn sinks(&self, policy: usize) -> Vec<Box<dyn RequestSink>> {
        self.parts[policy].iter().map(Self::sink).collect()
    }

    fn sink(part: &Arc<Mutex<Part>>) -> Box<dyn RequestSink> {
        let part = Arc::clone(part);
        let before = std::mem::replace(&mut *part.lock().expect("no run panics while it holds its part"), Part::Taken);
        let Part::Open(open) = before else { panic!("each policy saves one replication") };
        Box::new(Filling { part, open: Some(open), failed: None })
    }

    /// The tables, in the order of the policies and services; those that did not finish are not in them.
    pub fn write(mut self) -> Result<()> {
        let take = |part: Arc<Mutex<Part>>| {
            let mut part = part.lock().expect("no run panics while it holds its part");
            match std::mem::replace(&mut *part, Part::Taken) {
                Part::Done(done) => Some(done.map(|part| *part)),
                Part::Open(_) | Part::Taken => None,
            }
        };
        let parts =
            std::mem::take(&mut self.parts).into_iter().flatten().filter_map(take).collect::<io::Result<Vec<_>>>();
        parts
            .and_then(|parts| report::write_requests(&self.folder, parts))
            .or_environment(&format!("writing the requests to {}", self.folder.display()))
    }
}

impl Drop for SavedRequests {
    fn drop(&mut self) {
        self.parts.clear();
        if self.is_new {
            // Fails unless it is empty, which is what is wanted.
            let _ = std::fs::remove_dir(&self.folder);
        }
    }
}

/// A part under way.
struct Filling {
    part: Arc<Mutex<Part>>,
    open: Option<Box<RequestsPart>>,
    failed: Option<io::Error>,
}

impl RequestSink for Filling {
    fn take(&mut self, rows: &[RequestRow]) {
        // A full disk is reported once the run is over; until then there is nowhere to report it to.
        if let (Some(open), None) = (&mut self.open, &self.failed) {
            self.failed = open.push(rows).err();
        }
    }

    fn close(&mut self) {
        let done = match (self.failed.take(), self.open.take()) {
            (Some(error), _) => Err(error),
            (None, Some(open)) => open.finish().map(Box::new),
            (None, None) => return,
        };
        *self.part.lock().expect("no run panics while it holds its part") = Part::Done(done);
    }
}
