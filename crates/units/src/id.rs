//! Ids of simulated things. Each counts up from zero in order of creation and is never reused within a run.
//!
//! Pods are counted by service: whose a pod is stands in the upper bits of its id, so that the pods of the first service have the numbers
//! they would have without the others.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub u32);

        impl $name {
            /// The id as an index into a column.
            pub const fn index(self) -> usize {
                self.0 as usize
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "-{}"), self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{self}")
            }
        }
    };
}

id!(
    /// One machine, from request to termination.
    NodeId,
    "node"
);

/// Bits of a [`PodId`] that count the pods of one service.
const POD_BITS: u32 = 22;

/// One pod of one service, from creation to deletion; a replacement is another pod.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PodId(pub u32);

impl PodId {
    /// Services a run may have.
    pub const SERVICES_MAX: usize = 1 << (u32::BITS - POD_BITS);
    /// Pods one service may make in a run.
    pub const PODS_MAX: usize = 1 << POD_BITS;

    /// Pod number `index` of service number `service`.
    ///
    /// # Panics
    ///
    /// From [`Self::SERVICES_MAX`] services or [`Self::PODS_MAX`] pods on.
    pub const fn new(service: usize, index: usize) -> Self {
        assert!(service < Self::SERVICES_MAX && index < Self::PODS_MAX, "too many services or pods");
        Self((service as u32) << POD_BITS | index as u32)
    }

    /// The number of its service.
    pub const fn service(self) -> usize {
        (self.0 >> POD_BITS) as usize
    }

    /// Its number among the pods of its service: an index into a column.
    pub const fn index(self) -> usize {
        (self.0 as usize) & (Self::PODS_MAX - 1)
    }
}

impl fmt::Display for PodId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.service() {
            0 => write!(f, "pod-{}", self.index()),
            service => write!(f, "pod-{service}-{}", self.index()),
        }
    }
}

impl fmt::Debug for PodId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::PodId;

    #[test]
    fn a_pod_knows_its_service_and_its_number_there() {
        let last = PodId::new(PodId::SERVICES_MAX - 1, PodId::PODS_MAX - 1);
        assert_eq!((last.service(), last.index()), (PodId::SERVICES_MAX - 1, PodId::PODS_MAX - 1));
        assert_eq!(PodId::new(0, 7), PodId(7));
        assert_eq!(PodId::new(2, 7).to_string(), "pod-2-7");
        assert!(PodId::new(1, 0) > PodId::new(0, PodId::PODS_MAX - 1));
    }
}
