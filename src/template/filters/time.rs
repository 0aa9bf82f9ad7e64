//! `date`, `epoch`, `shift`: points in time, which are RFC 3339 texts. Never reads the clock.

use jiff::civil::Date;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use minijinja::value::Kwargs;
use minijinja::{Environment, Error, Value};

use super::quantity::{seconds, whole_if_possible};
use crate::template::error::{Fault, Problem};
use crate::template::value::{float, integer, kind_name};

pub(super) fn register(environment: &mut Environment<'static>) {
    environment.add_filter("date", date);
    environment.add_filter("epoch", |value: Value| Ok::<_, Error>(epoch(&value)?));
    environment.add_filter("shift", |value: Value, by: Value| Ok::<_, Error>(shift(&value, &by)?));
}

/// A point in time as values carry it: UTC with six fraction digits.
pub(in crate::template) fn rfc3339(time: Timestamp) -> String {
    strtime::format("%Y-%m-%dT%H:%M:%S%.6fZ", time).unwrap_or_else(|_| time.to_string())
}

#[expect(clippy::needless_pass_by_value, reason = "the shape of a filter")]
fn date(value: &Value, format: Option<String>, options: Kwargs) -> Result<String, Error> {
    let named: Option<String> = options.get("format")?;
    let zone: Option<String> = options.get("tz")?;
    options.assert_all_used()?;
    let format = format.or(named).unwrap_or_else(|| "%Y-%m-%d".to_owned());
    let zoned = point(value, "date")?.to_zoned(time_zone(zone.as_deref().unwrap_or("UTC"))?);
    strtime::format(&format, &zoned).map_err(|error| {
        let message = format!("`{format}` is not a date format: {error}");
        Fault::new(Problem::Filter, message)
            .help("Formats are those of strftime, such as `%Y-%m-%d %H:%M`.")
            .into()
    })
}

fn time_zone(name: &str) -> Result<TimeZone, Fault> {
    if name == "UTC" {
        return Ok(TimeZone::UTC);
    }
    TimeZone::get(name).map_err(|_| {
        Fault::new(Problem::Filter, format!("there is no time zone `{name}`"))
            .help("Use a name of the IANA database, such as `Europe/Paris`.")
    })
}

fn epoch(value: &Value) -> Result<Value, Fault> {
    let time = point(value, "epoch")?;
    if time.subsec_nanosecond() == 0 {
        return Ok(Value::from(time.as_second()));
    }
    #[expect(
        clippy::cast_precision_loss,
        reason = "microseconds since 1970 fit in 53 bits until the year 2255"
    )]
    Ok(whole_if_possible(time.as_microsecond() as f64 / 1e6))
}

fn shift(value: &Value, by: &Value) -> Result<String, Fault> {
    let time = point(value, "shift")?;
    let duration = SignedDuration::try_from_secs_f64(seconds(by)?);
    let moved = duration.ok().and_then(|by| time.checked_add(by).ok());
    moved
        .map(rfc3339)
        .ok_or_else(|| Fault::new(Problem::Filter, "the result is not within the years -9999 to 9999"))
}

/// A point in time: RFC 3339 text, a date, or seconds since 1970.
fn point(value: &Value, filter: &str) -> Result<Timestamp, Fault> {
    let out_of_range = || Fault::new(Problem::Filter, "the number is too large for a point in time");
    if let Some(text) = value.as_str() {
        return text.parse().or_else(|_| midnight(text)).map_err(|_| {
            Fault::new(Problem::Filter, format!("`{text}` is not a point in time"))
                .help("Write it as in RFC 3339: `2026-03-01T12:00:00Z`.")
        });
    }
    if let Some(whole) = integer(value) {
        let second = i64::try_from(whole).map_err(|_| out_of_range())?;
        return Timestamp::from_second(second).map_err(|_| out_of_range());
    }
    let number = float(value).ok_or_else(|| {
        Fault::new(Problem::Type, format!("`{filter}` takes text or a number, not {}", kind_name(value)))
    })?;
    let duration = SignedDuration::try_from_secs_f64(number).map_err(|_| out_of_range())?;
    Timestamp::from_duration(duration).map_err(|_| out_of_range())
}

fn midnight(text: &str) -> Result<Timestamp, jiff::Error> {
    text.parse::<Date>()?.to_zoned(TimeZone::UTC).map(|zoned| zoned.timestamp())
}
