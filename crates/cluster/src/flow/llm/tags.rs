//! What requests are besides their times and tokens, in request order.

use workload::{Purpose, Stream, Tag};

use crate::spec::{ClassSpec, GroupSpec, TagSpec};

/// Which system prompts and classes there are.
#[derive(Clone, Debug)]
pub struct TagLaw {
    /// How often each group or one before it is drawn, and the tokens of each.
    groups: Option<(Vec<f64>, u32)>,
    classes: Vec<ClassSpec>,
    /// How often each adapter or one before it is drawn.
    adapters: Vec<f64>,
}

impl TagLaw {
    /// `None` where there is nothing to draw.
    pub fn new(spec: &TagSpec) -> Option<Self> {
        let groups = spec.groups.map(|GroupSpec { count, tokens, zipf }| {
            let mut sum = 0.0;
            let mut upto: Vec<f64> = (1..=count)
                .map(|number| {
                    sum += f64::from(number).powf(-zipf);
                    sum
                })
                .collect();
            upto.iter_mut().for_each(|share| *share /= sum);
            (upto, tokens)
        });
        let classes = spec.classes.clone();
        let mut sum = 0.0;
        let upto = |share: &f64| {
            sum += share;
            sum
        };
        let adapters: Vec<f64> = spec.adapters.iter().map(upto).collect();
        let is_any = groups.is_some() || !classes.is_empty() || !adapters.is_empty();
        is_any.then_some(Self { groups, classes, adapters })
    }

    fn draw_group(&self, tag: &mut Tag, dice: &mut Stream) {
        let Some((upto, tokens)) = &self.groups else { return };
        let drawn = dice.uniform();
        let place = upto.partition_point(|share| *share <= drawn).min(upto.len() - 1);
        (tag.group, tag.group_tokens) = (place as u32 + 1, *tokens);
    }

    fn draw_class(&self, tag: &mut Tag, dice: &mut Stream) {
        if self.classes.is_empty() {
            return;
        }
        let mut left = dice.uniform();
        let class = self.classes.iter().find(|class| {
            left -= class.share;
            left < 0.0
        });
        if let Some(class) = class {
            (tag.priority, tag.engine_priority) = (class.priority, class.engine_priority);
        }
    }

    fn draw_adapter(&self, tag: &mut Tag, dice: &mut Stream) {
        if self.adapters.is_empty() {
            return;
        }
        let drawn = dice.uniform();
        let place = self.adapters.partition_point(|share| *share <= drawn);
        tag.adapter = if place < self.adapters.len() { place as u32 + 1 } else { 0 };
    }

    /// Those of one request, from its own stream.
    pub fn draw(&self, dice: &mut Stream) -> Tag {
        let mut tag = Tag::default();
        self.draw_group(&mut tag, dice);
        self.draw_class(&mut tag, dice);
        self.draw_adapter(&mut tag, dice);
        tag
    }
}

/// Deals out system prompts and classes to one request after another, so that every policy faces the same ones.
#[derive(Clone, Debug)]
pub struct TagDraws {
    law: TagLaw,
    groups: Stream,
    classes: Stream,
    adapters: Stream,
}

impl TagDraws {
    /// Starts at the first request; `None` where there is nothing to draw.
    pub fn new(spec: &TagSpec, seed: u64) -> Option<Self> {
        let dice = |entity| Stream::new(seed, Purpose::Tags, entity);
        Some(Self { law: TagLaw::new(spec)?, groups: dice(0), classes: dice(1), adapters: dice(2) })
    }

    /// Adds what is drawn to the tags of requests `from..to`, which may have none yet.
    pub fn fill(&mut self, tags: &mut Vec<Tag>, (from, to): (usize, usize)) {
        tags.resize(to, Tag::default());
        for tag in &mut tags[from..] {
            self.law.draw_group(tag, &mut self.groups);
            self.law.draw_class(tag, &mut self.classes);
            self.law.draw_adapter(tag, &mut self.adapters);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_and_classes_come_as_often_as_they_should() {
        let groups = Some(GroupSpec { count: 3, tokens: 64, zipf: 1.0 });
        let classes = vec![
            ClassSpec { share: 0.2, priority: 5, engine_priority: -5 },
            ClassSpec { share: 0.3, priority: -1, engine_priority: 1 },
        ];
        let mut tags = Vec::new();
        TagDraws::new(&TagSpec { groups, classes, adapters: vec![0.1, 0.25] }, 1)
            .expect("there is something to draw")
            .fill(&mut tags, (0, 60_000));
        let count = |is: fn(&&Tag) -> bool| tags.iter().filter(is).count() as f64 / 60_000.0;
        // 1, 1/2 and 1/3 of 11/6.
        for (seen, expected) in [
            (count(|tag| tag.group == 1), 6.0 / 11.0),
            (count(|tag| tag.group == 2), 3.0 / 11.0),
            (count(|tag| tag.group == 3), 2.0 / 11.0),
            (count(|tag| (tag.priority, tag.engine_priority) == (5, -5)), 0.2),
            (count(|tag| (tag.priority, tag.engine_priority) == (-1, 1)), 0.3),
            (count(|tag| (tag.priority, tag.engine_priority) == (0, 0)), 0.5),
            (count(|tag| tag.adapter == 1), 0.1),
            (count(|tag| tag.adapter == 2), 0.25),
            (count(|tag| tag.adapter == 0), 0.65),
        ] {
            assert!((seen - expected).abs() < 0.01, "{seen} for {expected}");
        }
    }
}
