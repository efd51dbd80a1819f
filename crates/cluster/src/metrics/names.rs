//! Names, addresses and identities of pods, nodes and GPUs, as labels show them.
//!
//! Tables call a pod `pod-7`; its series carry a name like those a Deployment gives, because people match on its form.

use exporters::{Exporter, Variable};
use units::{NodeId, PodId};
use workload::{Purpose, Stream};

/// What Kubernetes makes random parts of names of: no vowels, and nothing that looks like another.
const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
/// Names of five characters there are.
const SUFFIXES: u64 = 27 * 27 * 27 * 27 * 27;

/// Makes the names of one run.
#[derive(Clone, Debug)]
pub(super) struct Names {
    seed: u64,
    /// `<deployment>-<hash>-`.
    pod_prefix: String,
    /// Pod n has suffix number `factor n + offset`: no two have the same before all are used up.
    factor: u64,
    offset: u64,
}

impl Names {
    pub fn new(workload: &str, seed: u64) -> Self {
        let mut dice = Stream::new(seed, Purpose::Name, 0);
        let hash: String = (0..10).map(|_| letter(dice.below(27))).collect();
        // Without a common divisor with 27 to the fifth.
        let factor = dice.below(SUFFIXES / 3 - 1) * 3 + 1;
        Self { seed, pod_prefix: format!("{workload}-{hash}-"), factor, offset: dice.below(SUFFIXES) }
    }

    /// Name of a pod.
    pub fn pod(&self, pod: PodId) -> String {
        let mut number = (u64::from(pod.0) % SUFFIXES * self.factor + self.offset) % SUFFIXES;
        let mut name = self.pod_prefix.clone();
        for _ in 0..5 {
            name.push(letter(number % 27));
            number /= 27;
        }
        name
    }

    /// What a variable of the labels of a group's worker is. It is called after its leader.
    pub fn of_worker(&self, variable: Variable, (replica, place): (PodId, u32), node: Option<NodeId>) -> String {
        match variable {
            Variable::Pod => format!("{}-{place}", self.pod(replica)),
            Variable::PodIp => {
                let number = replica.0 + 2;
                format!("10.{}.{}.{}", 128 + place % 128, number / 254 % 254, number % 254 + 1)
            }
            Variable::PodUid => self.identity(u64::from(place) << 44 | u64::from(replica.0)),
            other => self.of_pod(other, replica, node),
        }
    }

    /// What a variable that is the same for all pods is.
    pub fn of_service(&self, variable: Variable) -> String {
        match variable {
            Variable::ReplicaSet => self.pod_prefix.trim_end_matches('-').to_owned(),
            _ => String::new(),
        }
    }

    /// What a variable of a pod's labels is; nothing for those of other things.
    pub fn of_pod(&self, variable: Variable, pod: PodId, node: Option<NodeId>) -> String {
        match variable {
            Variable::Pod => self.pod(pod),
            Variable::PodIp => {
                let number = pod.0 + 2;
                format!("10.{}.{}.{}", 64 + number / 64_516 % 64, number / 254 % 254, number % 254 + 1)
            }
            Variable::PodUid => self.identity(u64::from(pod.0)),
            Variable::Node | Variable::NodeIp => {
                node.map_or_else(String::new, |node| self.of_node(variable, node, None))
            }
            other => self.of_service(other),
        }
    }

    /// What a variable of a node's labels is; `exporter` is the one that runs there.
    pub fn of_node(&self, variable: Variable, node: NodeId, exporter: Option<Exporter>) -> String {
        match variable {
            Variable::Node => node.to_string(),
            Variable::NodeIp => format!("10.{}.{}.{}", node.0 / 64_516 % 64, node.0 / 254 % 254, node.0 % 254 + 1),
            Variable::ExporterPod => {
                let program = match exporter {
                    Some(Exporter::Dcgm) => "nvidia-dcgm-exporter",
                    Some(Exporter::NodeExporter) => "node-exporter",
                    _ => "exporter",
                };
                let mut dice = Stream::new(self.seed, Purpose::Name, 1 << 40 | u64::from(node.0));
                let suffix: String = (0..5).map(|_| letter(dice.below(27))).collect();
                format!("{program}-{suffix}")
            }
            _ => String::new(),
        }
    }

    /// UUID of a GPU.
    pub fn gpu(&self, node: NodeId, gpu: u32) -> String {
        format!("GPU-{}", self.identity(1 << 41 | u64::from(node.0) << 8 | u64::from(gpu)))
    }

    fn identity(&self, entity: u64) -> String {
        let mut dice = Stream::new(self.seed, Purpose::Name, 1 << 42 | entity);
        let (high, low) = (dice.next_u64(), dice.next_u64());
        format!(
            "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
            high >> 32,
            high >> 16 & 0xffff,
            high & 0xfff,
            low >> 52,
            low & 0xffff_ffff_ffff
        )
    }
}

fn letter(number: u64) -> char {
    char::from(ALPHABET[number as usize])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_pod_is_called_as_a_deployment_calls_it_and_no_two_alike() {
        let names = Names::new("llm", 7);
        let all: BTreeSet<String> = (0..20_000).map(|pod| names.pod(PodId(pod))).collect();
        assert_eq!(all.len(), 20_000);
        for name in &all {
            let parts: Vec<&str> = name.split('-').collect();
            assert_eq!((parts[0], parts[1].len(), parts[2].len(), parts.len()), ("llm", 10, 5, 3), "{name}");
        }
        assert_ne!(names.pod(PodId(0)), Names::new("llm", 8).pod(PodId(0)), "another seed, another name");
    }

    #[test]
    fn addresses_and_identities_are_of_one_pod_only() {
        let names = Names::new("llm", 7);
        for variable in [Variable::PodIp, Variable::PodUid] {
            let all: BTreeSet<String> = (0..70_000).map(|pod| names.of_pod(variable, PodId(pod), None)).collect();
            assert_eq!(all.len(), 70_000, "{variable:?}");
        }
    }
}
