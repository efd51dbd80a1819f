//! The pods of all classes, by their ids.

use std::ops::{Index, IndexMut};

use units::PodId;

use super::pod::Pod;

/// Pods in a table of their own for each class. Within a class they come in the order of their ids, none left out.
#[derive(Clone, Debug, Default)]
pub(super) struct Pods {
    classes: Vec<Vec<Pod>>,
}

impl Pods {
    /// No pods, of so many classes.
    pub fn new(classes: usize) -> Self {
        Self { classes: vec![Vec::new(); classes] }
    }

    /// The next pod of its class.
    pub fn push(&mut self, pod: PodId, state: Pod) {
        let class = &mut self.classes[pod.service()];
        assert_eq!(pod.index(), class.len(), "pods come in the order of their ids");
        class.push(state);
    }

    /// Those of one class.
    pub fn of(&self, class: usize) -> &[Pod] {
        &self.classes[class]
    }

    /// All of them, class by class, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Pod> {
        self.classes.iter_mut().flatten()
    }

    /// All of them with their ids, class by class.
    pub fn into_iter(self) -> impl Iterator<Item = (PodId, Pod)> {
        let with_ids = |(class, pods): (usize, Vec<Pod>)| {
            pods.into_iter().enumerate().map(move |(index, pod)| (PodId::new(class, index), pod))
        };
        self.classes.into_iter().enumerate().flat_map(with_ids)
    }
}

impl Index<PodId> for Pods {
    type Output = Pod;

    fn index(&self, pod: PodId) -> &Pod {
        &self.classes[pod.service()][pod.index()]
    }
}

impl IndexMut<PodId> for Pods {
    fn index_mut(&mut self, pod: PodId) -> &mut Pod {
        &mut self.classes[pod.service()][pod.index()]
    }
}
