//! [`Live`]: what runs now, and the block of lines that shows it. Pure: it is told the time, the width and the frame.

use std::time::Duration;

use console::measure_text_width;
use indexmap::IndexMap;

use crate::event::Place;
use crate::model::StepId;
use crate::ui::style::{Mark, Style, Tone};
use crate::ui::text::{fit, one_line};
use crate::ui::{count, duration};

/// The running steps and blockers shown at most: the block must not fill a small terminal.
const MOST_STEPS: usize = 8;
const MOST_BLOCKERS: usize = 3;
/// The columns of a percentage bar, and of the narrowest terminal that gets one.
const BAR: usize = 16;
const WIDE: usize = 64;

/// What is known of a running step.
#[derive(Debug, Clone, Default)]
pub(super) struct LiveStep {
    /// When it began, counted from the first line of the display.
    pub(super) since: Duration,
    pub(super) title: String,
    pub(super) phase: String,
    pub(super) percent: Option<f64>,
    pub(super) detail: Option<String>,
    pub(super) blockers: Vec<String>,
}

/// What runs now.
#[derive(Debug, Clone, Default)]
pub(super) struct Live {
    pub(super) running: IndexMap<Place, LiveStep>,
    /// How many children of a `for_each` are final, and how many there are.
    pub(super) lists: IndexMap<StepId, (u64, u64)>,
    pub(super) finished: u64,
    pub(super) total: u64,
}

impl Live {
    /// The block at `now`, each line fitting the width.
    pub(super) fn lines(&self, now: Duration, frame: &str, width: usize, style: &Style) -> Vec<String> {
        let canvas = Canvas { now, frame, width, style };
        let mut lines = Vec::new();
        for place in self.running.keys().take(MOST_STEPS) {
            self.group(place, canvas, &mut lines);
        }
        let hidden = self.running.len().saturating_sub(MOST_STEPS);
        if hidden > 0 {
            lines.push(style.paint(Tone::Quiet, &format!("  and {hidden} more")));
        }
        lines.push(self.overall(canvas));
        lines.into_iter().map(|line| fit(&line, width, style.ellipsis())).collect()
    }

    /// The lines of a step and all of its children, at the place of the first of them.
    fn group(&self, place: &Place, canvas: Canvas<'_>, lines: &mut Vec<String>) {
        let mine = || self.running.iter().filter(|(other, _)| other.step == place.step);
        if mine().next().is_none_or(|(first, _)| first != place) {
            return;
        }
        if let Some((done, total)) = self.lists.get(&place.step) {
            let own = self.running.get(&Place::step(&place.step)).cloned().unwrap_or_default();
            let phase = format!("{done} of {}", count(*total, "item"));
            let since = mine().map(|(_, step)| step.since).min().unwrap_or(own.since);
            lines.extend(canvas.step(place.step.as_str(), &LiveStep { since, phase, ..own }, ""));
        }
        for (other, step) in mine() {
            match &other.key {
                Some(key) if self.lists.contains_key(&other.step) => {
                    lines.extend(canvas.step(key, step, "  "));
                }
                None if self.lists.contains_key(&other.step) => {}
                _ => lines.extend(canvas.step(&other.to_string(), step, "")),
            }
        }
    }

    fn overall(&self, canvas: Canvas<'_>) -> String {
        let steps = format!("{}/{}", self.finished, count(self.total, "step"));
        let text = [steps, duration(canvas.now.as_secs_f64())].join(canvas.style.dot());
        canvas.style.paint(Tone::Quiet, &text)
    }
}

/// What every line of one frame shares.
#[derive(Clone, Copy)]
struct Canvas<'a> {
    now: Duration,
    frame: &'a str,
    width: usize,
    style: &'a Style,
}

impl Canvas<'_> {
    /// Spinner, id, what it does, and the seconds at the right; beneath it who blocks it.
    fn step(self, label: &str, step: &LiveStep, indent: &str) -> Vec<String> {
        let style = self.style;
        let head = format!(
            "{indent}{} {}  ",
            style.paint(Tone::Active, self.frame),
            style.paint(Tone::Strong, &one_line(label))
        );
        let time = duration(self.now.saturating_sub(step.since).as_secs_f64());
        let room = self.width.saturating_sub(measure_text_width(&head) + time.len() + 2);
        let line = head + &fit(&self.doing(step), room, style.ellipsis());
        let gap = self.width.saturating_sub(measure_text_width(&line) + time.len()).max(2);
        let mut lines = vec![format!("{line}{}{}", " ".repeat(gap), style.paint(Tone::Quiet, &time))];
        lines.extend(self.blockers(step, indent));
        lines
    }

    fn doing(self, step: &LiveStep) -> String {
        let phase = if step.phase.is_empty() { &step.title } else { &step.phase };
        let percent = step.percent.map(|percent| {
            let percent = if percent.is_finite() { percent.clamp(0.0, 100.0) } else { 0.0 };
            let bar = if self.width >= WIDE { self.bar(percent) + " " } else { String::new() };
            // Rounded down, so that a hundred is only shown when it is true.
            format!("{bar}{:.0}%", percent.floor())
        });
        let detail = step.detail.as_deref().map(one_line).map(|text| self.style.paint(Tone::Quiet, &text));
        let parts = [Some(one_line(phase)), percent, detail].into_iter().flatten();
        parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
    }

    fn bar(self, percent: f64) -> String {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "between zero and BAR"
        )]
        let full = ((percent / 100.0 * BAR as f64) as usize).min(BAR);
        let (done, left) = if self.style.unicode { ("━", "─") } else { ("#", ".") };
        let done = self.style.paint(Tone::Active, &done.repeat(full));
        done + &self.style.paint(Tone::Quiet, &left.repeat(BAR - full))
    }

    fn blockers(self, step: &LiveStep, indent: &str) -> Vec<String> {
        let mark = self.style.mark(Mark::Warning);
        let line = |blocker: &String| format!("{indent}  {mark} waiting for {}", one_line(blocker));
        let mut lines: Vec<String> = step.blockers.iter().take(MOST_BLOCKERS).map(line).collect();
        let hidden = step.blockers.len().saturating_sub(MOST_BLOCKERS);
        if hidden > 0 {
            lines.push(format!("{indent}    and {hidden} more"));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(live: &Live, width: usize) -> String {
        let style = Style { interactive: true, ..Style::plain() };
        let lines = live.lines(Duration::from_secs(190), "⠋", width, &style);
        for line in &lines {
            assert!(measure_text_width(line) <= width, "{line}");
        }
        lines.join("\n")
    }

    fn example() -> Live {
        let vacuum = LiveStep {
            since: Duration::from_secs(125),
            phase: "scanning heap".to_owned(),
            percent: Some(42.9),
            detail: Some("public.orders".to_owned()),
            ..LiveStep::default()
        };
        let reindex = LiveStep {
            since: Duration::from_mins(3),
            title: "Rebuild the index".to_owned(),
            blockers: [
                "4711 wms-batch, idle in transaction 3m: UPDATE orders SET state = 'picked' WHERE id = 12",
                "2",
            ]
            .map(|blocker| format!("pid {blocker}"))
            .to_vec(),
            ..LiveStep::default()
        };
        let tables = StepId::new("tables");
        Live {
            running: IndexMap::from([
                (Place::step(&StepId::new("vacuum")), vacuum.clone()),
                (Place::child(&tables, "items"), LiveStep { percent: None, detail: None, ..vacuum }),
                (Place::step(&StepId::new("reindex")), reindex),
                (Place::child(&tables, "orders"), LiveStep::default()),
            ]),
            lists: IndexMap::from([(tables, (3, 12))]),
            finished: 7,
            total: 12,
        }
    }

    #[test]
    fn a_block_at_eighty_columns() {
        insta::assert_snapshot!(draw(&example(), 80), @"
        ⠋ vacuum  scanning heap ━━━━━━────────── 42% public.orders                1m 05s
        ⠋ tables  3 of 12 items                                                   3m 10s
          ⠋ items  scanning heap                                                  1m 05s
          ⠋ orders                                                                3m 10s
        ⠋ reindex  Rebuild the index                                               10.0s
          ! waiting for pid 4711 wms-batch, idle in transaction 3m: UPDATE orders SET s…
          ! waiting for pid 2
        7/12 steps · 3m 10s
        ");
    }

    #[test]
    fn every_width_is_kept() {
        for width in [1, 10, 30, 63, 64, 200] {
            draw(&example(), width);
        }
    }

    #[test]
    fn a_crowd_is_cut() {
        let step = |n: u32| (Place::step(&StepId::new(format!("step_{n}"))), LiveStep::default());
        let live = Live { running: (0..20).map(step).collect(), total: 20, ..Live::default() };
        let text = draw(&live, 80);
        assert!(text.contains("and 12 more") && text.lines().count() == 10, "{text}");
    }
}
