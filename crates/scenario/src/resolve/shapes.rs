//! What a pod finds on a machine: of the table's, so that a scenario needs to state prices only, or as the scenario describes it.

use cluster::spec::{GpuSlice, InstanceOffering};
use prices::{Label, Machine};
use units::{Bytes, Millicores};

use crate::file::InstanceTypeFile;
use crate::manifest::{Quantity, is_accelerator};

/// What a pod finds on a node of some type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// GPUs.
    pub gpus: u32,
    /// Extended resource they are advertised as.
    pub gpu_resource: String,
    /// `nvidia.com/gpu.product`.
    pub gpu_product: String,
    /// Allocatable CPU.
    pub cpu: Millicores,
    /// Allocatable memory.
    pub memory: Bytes,
    /// CPU and memory of the whole machine.
    pub machine: (Millicores, Bytes),
    /// What is advertised of the GPUs where they are cut or shared; empty: each as itself.
    pub sliced: Vec<(String, u32)>,
    /// Resources that are no accelerators.
    pub extended: Vec<(String, u32)>,
}

impl Shape {
    /// What the machine table, or a row of the price catalog, says of a type.
    pub fn of(machine: &Machine) -> Self {
        let product = match machine.label("nvidia.com/gpu.product") {
            Some(Label::Value(product)) => product,
            _ => String::new(),
        };
        Self {
            gpus: machine.gpus,
            gpu_resource: machine.resource().to_owned(),
            gpu_product: product,
            cpu: Millicores(machine.cpu_milli),
            memory: Bytes(machine.allocatable_mib << 20),
            machine: (Millicores(u64::from(machine.vcpus) * 1000), Bytes(machine.memory_mib << 20)),
            sliced: Vec::new(),
            extended: Vec::new(),
        }
    }

    /// A shape from the scenario; `None` if its CPU is no quantity.
    pub fn written(file: &InstanceTypeFile) -> Option<Self> {
        let cpu = policy::keda::quantity::milli_from_text(&file.cpu).map(Quantity)?;
        let (sliced, extended) =
            file.resources.clone().into_iter().partition(|(name, _)| is_sharing(name, &file.gpu_resource));
        Some(Self {
            gpus: file.gpus,
            gpu_resource: file.gpu_resource.clone(),
            gpu_product: file.gpu_product.clone(),
            cpu: Millicores(u64::try_from(cpu.0).ok()?),
            memory: Bytes(file.memory.0),
            machine: (Millicores(u64::try_from(cpu.0).ok()?.div_ceil(1_000) * 1_000), Bytes(file.memory.0)),
            sliced,
            extended,
        })
    }

    /// Puts the shape into an offering, for pods that ask for one of `resources`.
    pub fn fill<'r>(&self, offering: &mut InstanceOffering, mut resources: impl Iterator<Item = &'r str>) {
        let asked = resources.find(|resource| self.sliced.iter().any(|(name, _)| name == resource));
        let (name, units, slice) = self.advertised(asked.unwrap_or_default());
        offering.gpus = units;
        offering.slice = slice;
        name.clone_into(&mut offering.gpu_resource);
        offering.machine_cpu = self.machine.0;
        offering.machine_memory = self.machine.1;
        offering.gpu_product.clone_from(&self.gpu_product);
        offering.cpu = self.cpu;
        offering.memory = self.memory;
        offering.extended.clone_from(&self.extended);
    }

    /// What a node advertises of `resource` (or of its first one, if it has none of that), and what one unit is of its GPUs.
    fn advertised(&self, resource: &str) -> (&str, u32, GpuSlice) {
        let found = self.sliced.iter().find(|(name, _)| name == resource).or_else(|| self.sliced.first());
        let Some((name, units)) = found else { return (&self.gpu_resource, self.gpus, GpuSlice::whole(self.gpus)) };
        let slice = match (name.as_str(), mig_sevenths(name)) {
            (WHOLE_GPU, _) => GpuSlice::whole(self.gpus),
            (_, Some(sevenths)) => GpuSlice { devices: self.gpus, shares: 7 * self.gpus, of_unit: sevenths },
            // Time-slicing: what is not taken by the others is shared alike.
            _ => GpuSlice { devices: self.gpus, shares: self.gpus * units, of_unit: self.shared_gpus() },
        };
        (name, *units, slice)
    }

    /// Whole GPUs that are neither advertised as such nor cut by MIG.
    fn shared_gpus(&self) -> u32 {
        let taken = |(name, units): &(String, u32)| match (name.as_str(), mig_sevenths(name)) {
            (WHOLE_GPU, _) => 7 * units,
            (_, Some(sevenths)) => sevenths * units,
            _ => 0,
        };
        self.gpus.saturating_sub(self.sliced.iter().map(taken).sum::<u32>().div_ceil(7))
    }

    /// Why its resources cannot be had of its GPUs; `None` if they can.
    pub fn overcommitted(&self) -> Option<String> {
        let whole: u32 = self.sliced.iter().filter(|(name, _)| name == WHOLE_GPU).map(|(_, units)| units).sum();
        let sevenths: u32 =
            self.sliced.iter().filter_map(|(name, units)| mig_sevenths(name).map(|sevenths| sevenths * units)).sum();
        let shared: Vec<&str> = self
            .sliced
            .iter()
            .map(|(name, _)| name.as_str())
            .filter(|name| *name != WHOLE_GPU && mig_sevenths(name).is_none())
            .collect();
        if self.sliced.iter().any(|(name, units)| *units == 0 || mig_sevenths(name) == Some(0)) {
            return Some("a resource with a count of zero says nothing; leave it out".to_owned());
        }
        if shared.len() > 1 {
            return Some(format!("{} share the same GPUs; the model takes one shared resource", shared.join(" and ")));
        }
        let needed = whole + sevenths.div_ceil(7) + u32::from(!shared.is_empty());
        (needed > self.gpus).then(|| {
            format!("these resources take {needed} GPUs (a GPU has seven MIG slices), the machine has {}", self.gpus)
        })
    }
}

/// Whether a resource is GPUs or part of them: an accelerator, or one of the same vendor's domain.
fn is_sharing(name: &str, gpu_resource: &str) -> bool {
    let domain = |resource: &str| resource.split('/').next().map(str::to_owned);
    is_accelerator(name) || domain(name) == domain(gpu_resource)
}

const WHOLE_GPU: &str = "nvidia.com/gpu";

/// The compute slices of a MIG resource: 3 for `nvidia.com/mig-3g.40gb`.
fn mig_sevenths(resource: &str) -> Option<u32> {
    resource.rsplit_once("/mig-")?.1.split_once('g')?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sliced(gpus: u32, resources: &[(&str, u32)]) -> Shape {
        let sliced = resources.iter().map(|&(name, units)| (name.to_owned(), units)).collect();
        Shape { gpus, sliced, ..Shape::of(prices::machine("p4d.24xlarge").unwrap()) }
    }

    #[test]
    fn a_unit_is_its_share_of_the_machines_gpus() {
        let mixed = sliced(3, &[("nvidia.com/gpu", 1), ("nvidia.com/mig-3g.40gb", 2), ("nvidia.com/gpu.shared", 4)]);
        assert_eq!(mixed.overcommitted(), None);
        let of = |resource| mixed.advertised(resource).2;
        assert_eq!(of("nvidia.com/gpu"), GpuSlice { devices: 3, shares: 3, of_unit: 1 });
        assert_eq!(of("nvidia.com/mig-3g.40gb"), GpuSlice { devices: 3, shares: 21, of_unit: 3 });
        // One GPU of the three in four turns: a twelfth of the machine each.
        assert_eq!(of("nvidia.com/gpu.shared"), GpuSlice { devices: 3, shares: 12, of_unit: 1 });
    }

    #[test]
    fn more_slices_than_the_gpus_have_are_refused() {
        assert!(sliced(1, &[("nvidia.com/mig-1g.10gb", 7)]).overcommitted().is_none());
        assert!(sliced(1, &[("nvidia.com/mig-1g.10gb", 8)]).overcommitted().is_some());
        assert!(sliced(1, &[("nvidia.com/mig-3g.40gb", 2), ("nvidia.com/gpu", 1)]).overcommitted().is_some());
    }
}
