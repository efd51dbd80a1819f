//! A new version of the workload: what nodes hold of the old one does not help it.

use units::SimTime;

use super::Fleet;
use super::node::ImageState;

impl Fleet {
    /// From now on pods need another image, other weights, or both. Neither what nodes have pulled and cached nor what their machine
    /// image brings is that, and no node has a snapshot of it.
    pub fn release(&mut self, image_is_new: bool, model_is_new: bool, now: SimTime) {
        self.enter(now);
        if image_is_new {
            self.classes[0].cold_start.image_pre_pulled = false;
            for node in &mut self.nodes {
                match node.image {
                    ImageState::Present => node.image = ImageState::Absent,
                    ImageState::Pulling => node.pulls_old_image = true,
                    ImageState::Absent => {}
                }
            }
        }
        if let (true, Some(weights)) = (model_is_new, &mut self.classes[0].cold_start.weights) {
            let place = weights.releases.partition_point(|release| *release <= now);
            weights.releases.insert(place, now);
        }
        if image_is_new || model_is_new {
            self.nodes.iter_mut().for_each(|node| node.has_snapshot = false);
        }
    }
}
