//! How often spot nodes are lost, and how many at a time, from a recorded history.

use statrs::distribution::{ContinuousCDF, Gamma};
use units::{SimDuration, SimTime, UsdPerHour};

use crate::fit::{Interval, Observation, QuantilePair, fit_distribution};
use crate::{CalibrateError, yaml};

/// Losses of one zone this close to the first of them are one event: most nodes lost together are lost within minutes.
const EVENT_WINDOW: SimDuration = SimDuration::from_secs(300);

/// From this many losses per event on, losses are taken as clustered.
const CLUSTERED_FROM: f64 = 1.5;

/// Nodes of one zone over time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneSteps {
    /// Zone.
    pub zone: String,
    /// (from, nodes), ascending by instant.
    pub steps: Vec<(SimTime, u32)>,
    /// End of the recording.
    pub end: SimTime,
}

/// Prices of one zone over time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZonePrices {
    /// Zone.
    pub zone: String,
    /// (from, price), ascending by instant.
    pub points: Vec<(SimTime, UsdPerHour)>,
    /// End of the recording.
    pub end: SimTime,
}

/// What was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpotHistory {
    /// Nodes that were held.
    Held(Vec<ZoneSteps>),
    /// Nodes that could have been had; counted as if all of them had been held.
    Available(Vec<ZoneSteps>),
    /// Prices, with the most one would pay: a node is lost when the price rises above that. Since 2017 AWS no longer reclaims by price, so
    /// this says when one would have left, not when one was sent away.
    Prices {
        /// Prices by zone.
        zones: Vec<ZonePrices>,
        /// The most one would pay.
        price_max: UsdPerHour,
    },
}

/// How losses bunch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Clustering {
    /// Events: losses of one zone within five minutes of the first.
    pub events: usize,
    /// Events per hour of a zone that had nodes.
    pub events_per_zone_hour: f64,
    /// Mean share of the zone's nodes that an event takes, 0 to 1.
    pub share: f64,
    /// Mean number of nodes per event.
    pub losses_per_event: f64,
    /// Time from first to last loss within an event, 90th percentile, in seconds.
    pub spread_s: f64,
    /// Share of events that had one in another zone within five minutes, 0 to 1.
    pub share_across_zones: f64,
}

/// Spot losses as measured.
#[derive(Clone, Debug, PartialEq)]
pub struct SpotFit {
    /// Losses per node-hour. The interval is that of the number of events, since losses of one event are not independent.
    pub hazard_per_hour: Interval,
    /// Nodes lost.
    pub losses: u64,
    /// Node-hours observed.
    pub node_hours: f64,
    /// How losses bunch; `None` without losses.
    pub clustering: Option<Clustering>,
    /// Median time without any node after the last was lost, in seconds; `None` if that never happened.
    pub away_s: Option<f64>,
    /// Node-hours from one event of a zone to the next, against the exponential distribution of a constant hazard; empty with fewer than
    /// two.
    pub quantile_pairs: Vec<QuantilePair>,
    /// What the reader of the result should know.
    pub notes: Vec<String>,
}

/// One event in one zone.
struct Event {
    zone: usize,
    first: SimTime,
    last: SimTime,
    nodes_before: u32,
    lost: u32,
}

/// Estimates the hazard, its interval and its clustering.
pub fn spot(history: &SpotHistory) -> Result<SpotFit, CalibrateError> {
    let (zones, mut notes) = held(history);
    let node_hours: f64 = zones.iter().map(|zone| hours(zone, f64::from)).sum();
    let zone_hours: f64 = zones.iter().map(|zone| hours(zone, |nodes| f64::from(u8::from(nodes > 0)))).sum();
    if node_hours <= 0.0 {
        return Err(CalibrateError::Nothing { what: "spot history", reason: "no node was ever there".to_owned() });
    }
    let events: Vec<Event> = zones.iter().enumerate().flat_map(|(index, zone)| events_of(index, zone)).collect();
    let losses: u64 = events.iter().map(|event| u64::from(event.lost)).sum();
    let per_event = losses as f64 / events.len().max(1) as f64;
    let (low, high) = poisson_interval(events.len());
    if losses < 10 {
        notes.push(format!("only {losses} losses: the interval is wide"));
    }
    Ok(SpotFit {
        hazard_per_hour: Interval {
            value: losses as f64 / node_hours,
            low: low * per_event / node_hours,
            high: high * per_event.max(1.0) / node_hours,
        },
        losses,
        node_hours,
        clustering: clustering(&events, zone_hours),
        away_s: away(&zones),
        quantile_pairs: quantile_pairs(&zones, &events),
        notes,
    })
}

/// The history as held nodes.
fn held(history: &SpotHistory) -> (Vec<ZoneSteps>, Vec<String>) {
    match history {
        SpotHistory::Held(zones) => (zones.clone(), Vec::new()),
        SpotHistory::Available(zones) => {
            (zones.clone(), vec!["capacity that shrank counts as lost, as if all of it had been held".to_owned()])
        }
        SpotHistory::Prices { zones, price_max } => {
            let steps = |points: &[(SimTime, UsdPerHour)]| {
                points.iter().map(|(at, price)| (*at, u32::from(price <= price_max))).collect()
            };
            let zones = zones.iter().map(|zone| ZoneSteps {
                zone: zone.zone.clone(),
                steps: steps(&zone.points),
                end: zone.end,
            });
            let note = format!("a loss is a price above ${:.4}/h; AWS does not reclaim by price", price_max.as_f64());
            (zones.collect(), vec![note])
        }
    }
}

/// Time under the steps, each weighed by its nodes, in hours.
fn hours(zone: &ZoneSteps, weigh: impl Fn(u32) -> f64) -> f64 {
    let ends = zone.steps.iter().skip(1).map(|step| step.0).chain([zone.end]);
    zone.steps.iter().zip(ends).map(|((from, nodes), to)| weigh(*nodes) * to.since(*from).as_secs_f64() / 3_600.0).sum()
}

/// The gaps between events on a clock that counts node-hours, in order, each with the quantile of the exponential distribution of their
/// mean at the same share.
fn quantile_pairs(zones: &[ZoneSteps], events: &[Event]) -> Vec<QuantilePair> {
    let until = |event: &Event| {
        let zone = &zones[event.zone];
        let before = zone.steps.iter().copied().take_while(|step| step.0 < event.first).collect();
        hours(&ZoneSteps { zone: String::new(), steps: before, end: event.first }, f64::from)
    };
    let mut gaps: Vec<f64> = events
        .windows(2)
        .filter(|pair| pair[0].zone == pair[1].zone)
        .map(|pair| until(&pair[1]) - until(&pair[0]))
        .collect();
    if gaps.len() < 2 {
        return Vec::new();
    }
    gaps.sort_by(f64::total_cmp);
    let (count, mean) = (gaps.len() as f64, gaps.iter().sum::<f64>() / gaps.len() as f64);
    let pair = |(index, observed): (usize, &f64)| {
        let share = (index as f64 + 0.5) / count;
        QuantilePair { share, observed: *observed, fitted: -mean * libm::log1p(-share) }
    };
    gaps.iter().enumerate().map(pair).collect()
}

fn events_of(index: usize, zone: &ZoneSteps) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    for pair in zone.steps.windows(2) {
        let (before, (at, after)) = (pair[0].1, pair[1]);
        let lost = before.saturating_sub(after);
        if lost == 0 {
            continue;
        }
        match events.last_mut().filter(|event| at.since(event.first) <= EVENT_WINDOW) {
            Some(event) => {
                event.last = at;
                event.lost += lost;
                // Nodes that came back meanwhile were there to be lost too.
                event.nodes_before = event.nodes_before.max(event.lost);
            }
            None => events.push(Event { zone: index, first: at, last: at, nodes_before: before, lost }),
        }
    }
    events
}

fn clustering(events: &[Event], zone_hours: f64) -> Option<Clustering> {
    if events.is_empty() {
        return None;
    }
    let mean = |read: &dyn Fn(&Event) -> f64| events.iter().map(read).sum::<f64>() / events.len() as f64;
    let mut spreads: Vec<f64> = events.iter().map(|event| event.last.since(event.first).as_secs_f64()).collect();
    spreads.sort_by(f64::total_cmp);
    let apart = |one: &Event, other: &Event| one.first.since(other.first).max(other.first.since(one.first));
    let meets =
        |event: &Event| events.iter().any(|other| other.zone != event.zone && apart(event, other) <= EVENT_WINDOW);
    Some(Clustering {
        events: events.len(),
        events_per_zone_hour: events.len() as f64 / zone_hours,
        share: mean(&|event| f64::from(event.lost) / f64::from(event.nodes_before)),
        losses_per_event: mean(&|event| f64::from(event.lost)),
        spread_s: spreads[(spreads.len() - 1) * 9 / 10],
        share_across_zones: mean(&|event| f64::from(u8::from(meets(event)))),
    })
}

/// Median time a zone stays empty after its last node was lost; times cut short by the end of the recording count as longer.
fn away(zones: &[ZoneSteps]) -> Option<f64> {
    let mut sample = Vec::new();
    for zone in zones {
        let ends = zone.steps.iter().skip(2).map(|step| Some(step.0)).chain([None]);
        for (pair, end) in zone.steps.windows(2).zip(ends) {
            if pair[0].1 > 0 && pair[1].1 == 0 {
                let empty = end.unwrap_or(zone.end).since(pair[1].0).as_secs_f64();
                sample.push(if end.is_some() { Observation::Exact(empty) } else { Observation::LongerThan(empty) });
            }
        }
    }
    fit_distribution(&sample, 0).map(|fit| fit.p50.value)
}

/// The exact 95 % interval of a Poisson mean after `count` events: quantiles of gamma distributions (Garwood 1936).
fn poisson_interval(count: usize) -> (f64, f64) {
    let quantile = |shape: usize, share: f64| {
        Gamma::new(shape as f64, 1.0).expect("a positive shape and rate make a gamma distribution").inverse_cdf(share)
    };
    let low = if count == 0 { 0.0 } else { quantile(count, 0.025) };
    (low, quantile(count + 1, 0.975))
}

impl SpotFit {
    /// The `spot` section of a scenario: clustered if events take more than one and a half nodes on average, else a constant rate.
    pub fn yaml(&self) -> String {
        let hazard = self.hazard_per_hour;
        let (low, high) = (yaml::significant(hazard.low), yaml::significant(hazard.high));
        let clustered = self.clustering.filter(|clustering| clustering.losses_per_event >= CLUSTERED_FROM);
        let interruptions = match clustered {
            Some(clustering) => format!(
                "clustered: {{events: {}/h, share: {}%, spread: {}}}",
                yaml::significant(clustering.events_per_zone_hour),
                yaml::significant(clustering.share.min(1.0) * 100.0),
                yaml::time(clustering.spread_s)
            ),
            None => format!("constant: {}/h", yaml::significant(hazard.value)),
        };
        let away = self.away_s.map_or_else(String::new, |away| format!("  away: {}\n", yaml::time(away)));
        format!(
            "spot: # {} losses in {:.1} node-hours; 95 %: {low}..{high}/h per node\n  interruptions:\n    {interruptions}\n{away}",
            self.losses, self.node_hours
        )
    }

    /// The fit for people.
    pub fn report(&self) -> String {
        let hazard = self.hazard_per_hour;
        let head = format!(
            "{} losses in {:.1} node-hours: {:.4} per node-hour ({:.4} to {:.4})\n",
            self.losses, self.node_hours, hazard.value, hazard.low, hazard.high
        );
        let bunching = self.clustering.map_or_else(String::new, |clustering| {
            format!(
                "{} events, {:.2} nodes each on average ({:.0} % of the zone's); {:.0} % with one in another zone within 5 minutes\n",
                clustering.events,
                clustering.losses_per_event,
                clustering.share * 100.0,
                clustering.share_across_zones * 100.0
            )
        });
        let notes = self.notes.iter().flat_map(|note| ["note: ", note, "\n"]);
        [head.as_str(), &bunching].into_iter().chain(notes).collect()
    }
}
