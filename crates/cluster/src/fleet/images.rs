//! Container images on nodes: what services ask for by one name a node pulls once.

use units::SimDuration;

use super::class::Class;

/// What a node has of one image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum ImageState {
    #[default]
    Absent,
    Pulling,
    Present,
}

/// One image on one node.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Image {
    pub state: ImageState,
    /// The pull under way is of a version that is no longer asked for.
    pub pulls_old: bool,
    /// What is left of the pull once its bytes are there.
    pub unpack: SimDuration,
}

impl Image {
    /// One that is there.
    pub const PRESENT: Self = Self { state: ImageState::Present, pulls_old: false, unpack: SimDuration::ZERO };
}

/// Numbers the images of the classes: equal names are one image.
pub(super) fn number(classes: &mut [Class]) {
    let mut count = 0;
    for class in 0..classes.len() {
        let earlier = classes[..class].iter().find(|earlier| earlier.pod.image == classes[class].pod.image);
        let known = earlier.map(|earlier| earlier.image);
        classes[class].image = known.unwrap_or(count);
        count += usize::from(known.is_none());
    }
}

/// How many images there are.
pub(super) fn count(classes: &[Class]) -> usize {
    classes.iter().map(|class| class.image + 1).max().unwrap_or(0)
}
