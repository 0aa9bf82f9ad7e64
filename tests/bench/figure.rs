//! One line of the table: what was promised, what was measured, and whether it holds.

use std::time::Duration;

use crate::measure::Sample;

const MIB: f64 = 1_048_576.0;

/// The line above the lines.
pub(crate) fn heading() -> String {
    let heading = line([
        "figure",
        "target",
        "measured (min–max)",
        "processor",
        "compared with",
        "ratio",
        "peak memory",
        "",
    ]);
    format!("{heading}\n{}", "─".repeat(heading.chars().count()))
}

fn line(columns: [&str; 8]) -> String {
    let [name, target, measured, processor, base, ratio, memory, verdict] = columns;
    format!(
        "{name:<40} {target:<14} {measured:<27} {processor:<9} {base:<27} {ratio:>6}  {memory:<15} {verdict}"
    )
}

/// Times of a command.
#[derive(Clone)]
pub(crate) struct Figure {
    name: String,
    samples: Vec<Sample>,
    limit: Limit,
    /// The most bytes, and how many are allowed.
    peak: Option<(u64, Option<u64>)>,
}

#[derive(Clone)]
enum Limit {
    None,
    Time(Duration),
    Ratio { what: String, samples: Vec<Sample>, most: f64 },
}

impl Figure {
    pub(crate) fn time(name: &str, samples: Vec<Sample>) -> Self {
        Self { name: name.to_owned(), samples, limit: Limit::None, peak: None }
    }

    pub(crate) fn named(self, name: &str) -> Self {
        Self { name: name.to_owned(), ..self }
    }

    pub(crate) fn below(self, limit: Duration) -> Self {
        Self { limit: Limit::Time(limit), ..self }
    }

    pub(crate) fn against(self, what: &str, samples: Vec<Sample>, most: f64) -> Self {
        Self { limit: Limit::Ratio { what: what.to_owned(), samples, most }, ..self }
    }

    pub(crate) fn peak(self, bytes: u64, limit: Option<u64>) -> Self {
        Self { peak: Some((bytes, limit)), ..self }
    }

    pub(crate) fn print(&self) {
        let median = median(self.samples.iter().map(|sample| sample.wall)).as_secs_f64();
        let (target, base, ratio, holds) = match &self.limit {
            Limit::None => (String::new(), String::new(), 0.0, true),
            Limit::Time(limit) => {
                let ratio = median / limit.as_secs_f64();
                (format!("< {}", time(*limit)), "the target".to_owned(), ratio, ratio < 1.0)
            }
            Limit::Ratio { what, samples, most } => {
                let ratio = median / self::median(samples.iter().map(|sample| sample.wall)).as_secs_f64();
                (format!("≤ {most}×"), format!("{what}: {}", spread(samples)), ratio, ratio <= *most)
            }
        };
        let fits = self.peak.is_none_or(|(bytes, limit)| limit.is_none_or(|limit| bytes < limit));
        let memory = self.peak.map(|(bytes, limit)| size(bytes, limit)).unwrap_or_default();
        let ratio = format!("{ratio:.2}×");
        let measured = spread(&self.samples);
        let processor = time(self::median(self.samples.iter().map(|sample| sample.processor)));
        let verdict = verdict(holds && fits);
        println!("{}", line([&self.name, &target, &measured, &processor, &base, &ratio, &memory, verdict]));
    }
}

/// What a large amount of data adds to the memory that a small one needs.
pub(crate) struct Growth {
    pub(crate) name: &'static str,
    pub(crate) seconds: Duration,
    pub(crate) small: u64,
    pub(crate) large: u64,
    pub(crate) limit: u64,
}

impl Growth {
    pub(crate) fn print(&self) {
        let grown = self.large.saturating_sub(self.small);
        #[allow(clippy::cast_precision_loss, reason = "a ratio that is printed with two digits")]
        let ratio = grown as f64 / self.limit as f64;
        let target = format!("< {} more", size(self.limit, None));
        let measured = format!("{} more, {}", size(grown, None), time(self.seconds));
        let base = format!("1 MiB: {}", size(self.small, None));
        let (ratio, memory) = (format!("{ratio:.2}×"), size(self.large, None));
        let holds = verdict(grown < self.limit);
        println!("{}", line([self.name, &target, &measured, "", &base, &ratio, &memory, holds]));
    }
}

fn verdict(holds: bool) -> &'static str {
    if holds { "holds" } else { "MISSED" }
}

fn median(times: impl Iterator<Item = Duration>) -> Duration {
    let mut sorted: Vec<Duration> = times.collect();
    sorted.sort();
    sorted[sorted.len() / 2]
}

fn spread(samples: &[Sample]) -> String {
    let times = || samples.iter().map(|sample| sample.wall);
    let (least, most) = (times().min().unwrap(), times().max().unwrap());
    format!("{} ({}–{})", time(median(times())), number(least), number(most))
}

fn number(duration: Duration) -> String {
    let milliseconds = duration.as_secs_f64() * 1000.0;
    if milliseconds < 10.0 { format!("{milliseconds:.1}") } else { format!("{milliseconds:.0}") }
}

fn time(duration: Duration) -> String {
    format!("{} ms", number(duration))
}

fn size(bytes: u64, limit: Option<u64>) -> String {
    #[allow(clippy::cast_precision_loss, reason = "memory that is printed in whole mebibytes")]
    let mebibytes = |bytes: u64| (bytes as f64 / MIB).round();
    match limit {
        Some(limit) => format!("{} of {} MiB", mebibytes(bytes), mebibytes(limit)),
        None => format!("{} MiB", mebibytes(bytes)),
    }
}
