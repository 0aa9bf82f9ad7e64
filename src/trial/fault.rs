//! [`Fault`]: something that goes wrong on purpose, in one effect of a run.

use std::fmt;

use super::steps::{Known, Role, Steps};
use crate::event::{Node, Place, RunState};
use crate::model::{Applied, Effect, Failure};
use crate::step::StepError;

/// How an effect is hurt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Injury {
    /// Every attempt fails and leaves nothing.
    Fail,
    /// No answer comes, and nobody knows whether it took effect.
    Cut,
    /// The first attempt fails and leaves nothing, the second one succeeds.
    Repeat,
}

/// What is hurt, and how.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    pub(super) at: Place,
    pub(super) injury: Injury,
}

impl Fault {
    /// Every fault that a run invites, in the order of its effects.
    pub(super) fn all(state: &RunState, steps: &Steps<'_>) -> Vec<Self> {
        let mut effects: Vec<(&Place, &Node, Known<'_>)> = (state.nodes.iter())
            .filter_map(|(place, node)| Some((place, node, steps.get(place.step.as_str())?)))
            .filter(|(_, node, known)| {
                let effective = node.effect > Effect::Read || known.is_undone();
                // A `for_each` itself is no more than its children.
                let runs = known.step.for_each.is_none() || !node.input.is_null();
                known.role == Role::Main
                    && known.step.attempts().is_some()
                    && node.attempts > 0
                    && effective
                    && runs
            })
            .collect();
        effects.sort_by_key(|(_, node, _)| node.began);
        let of = |(at, _, known): (&Place, &Node, Known<'_>)| {
            let again = known.retried.then_some(Injury::Repeat);
            let injuries = [Injury::Fail, Injury::Cut].into_iter().chain(again);
            injuries.map(|injury| Self { at: at.clone(), injury }).collect::<Vec<_>>()
        };
        effects.into_iter().flat_map(of).collect()
    }

    /// Whether the run must be undone after it.
    pub(super) fn wants_undo(&self) -> bool {
        self.injury != Injury::Repeat
    }

    /// How the `nth` attempt at a place ends, if this fault is what ends it.
    pub(super) fn strike(&self, at: &Place, nth: usize) -> Option<StepError> {
        if *at != self.at {
            return None;
        }
        let failure = Failure::new(format!("this trial lets `{at}` fail"));
        match self.injury {
            Injury::Fail => Some(StepError::Failed(failure)),
            Injury::Cut => Some(StepError::Uncertain(Failure {
                message: format!("this trial cuts `{at}` off from its answer"),
                ..failure.applied(Applied::Unknown)
            })),
            Injury::Repeat => (nth == 0).then_some(StepError::Failed(failure)),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = match self.injury {
            Injury::Fail => "fail",
            Injury::Cut => "cut",
            Injury::Repeat => "repeat",
        };
        write!(f, "{verb} {}", self.at)
    }
}
