//! A new version of a workload: what nodes hold of the old one does not help it.

use units::SimTime;

use super::Fleet;
use super::images::{self, Image, ImageState};

impl Fleet {
    /// From now on pods of a service need another image (first), other weights (second), or both. Neither what nodes have pulled and cached
    /// nor what their machine image brings is that, and no node has a snapshot of it.
    pub fn release(&mut self, service: usize, (image_is_new, model_is_new): (bool, bool), now: SimTime) {
        self.enter(now);
        if image_is_new {
            self.classes[service].cold_start.image_pre_pulled = false;
            self.renew_image(service);
        }
        if let (true, Some(weights)) = (model_is_new, &mut self.classes[service].cold_start.weights) {
            let place = weights.releases.partition_point(|release| *release <= now);
            weights.releases.insert(place, now);
        }
        if image_is_new || model_is_new {
            self.nodes.iter_mut().for_each(|node| node.classes[service].has_snapshot = false);
        }
    }

    /// No node has the image of a service any more. Services that had the same one keep it.
    fn renew_image(&mut self, service: usize) {
        let image = self.classes[service].image;
        if self.classes.iter().filter(|class| class.image == image).count() > 1 {
            self.classes[service].image = images::count(&self.classes);
            self.nodes.iter_mut().for_each(|node| node.images.push(Image::default()));
            return;
        }
        for node in &mut self.nodes {
            let image = &mut node.images[image];
            match image.state {
                ImageState::Present => image.state = ImageState::Absent,
                ImageState::Pulling => image.pulls_old = true,
                ImageState::Absent => {}
            }
        }
    }
}
