//! `GET /api/v1/energy`: the meter's totals, and what each day and month took.

use alloc::vec::Vec;

use embassy_sync::blocking_mutex::raw::RawMutex;
use picoserve::request::RequestParts;
use serde::{Serialize, Serializer};

use super::problem::Problem;
use super::query::Parameter;
use super::reply::Reply;
use super::site::Site;
use crate::core::civil::{Zone, date_text, local_day};
use crate::limits;
use crate::platform::Clock;
use crate::storage::archive::{Found, Query};
use crate::storage::meter_id::MeterId;
use crate::storage::totals::{Row, Totals};

/// Everything but the rows, and the longest row; a test builds them.
const TOTALS_JSON: usize = 448;
const ROW_JSON: usize = 144;
/// Days and months in an answer when nobody says how many.
const ROWS: usize = 31;

const WANTED: &str = "a whole number from 0 to 62";
const DAYS: Parameter = Parameter { name: "days", wanted: WANTED, least: 0, most: limits::ENERGY_ROWS };
const MONTHS: Parameter = Parameter { name: "months", wanted: WANTED, least: 0, most: limits::ENERGY_ROWS };

/// `GET /api/v1/energy`.
#[derive(Serialize)]
struct EnergyPage<'a> {
    meter_id: Option<MeterId>,
    energy_import_wh: f64,
    energy_export_wh: f64,
    energy_below_noise_wh: f64,
    unmeasured_s: f64,
    kept: bool,
    today: Option<Day>,
    #[serde(serialize_with = "days")]
    days: &'a [Row],
    #[serde(serialize_with = "months")]
    months: &'a [Row],
}

#[derive(Serialize)]
struct Day {
    date: heapless::String<10>,
    import_wh: f64,
    export_wh: f64,
    unmeasured_s: f64,
    exact: bool,
}

#[derive(Serialize)]
struct Month<'a> {
    month: &'a str,
    import_wh: f64,
    export_wh: f64,
    unmeasured_s: f64,
    exact: bool,
}

fn day(row: &Row) -> Day {
    Day {
        date: date_text(row.day.into()),
        import_wh: row.import.watt_hours(),
        export_wh: row.export.watt_hours(),
        unmeasured_s: row.unmeasured_s(),
        exact: row.exact,
    }
}

fn days<S: Serializer>(rows: &&[Row], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(rows.iter().map(day))
}

fn months<S: Serializer>(rows: &&[Row], serializer: S) -> Result<S::Ok, S::Error> {
    use serde::ser::SerializeSeq;
    let mut list = serializer.serialize_seq(Some(rows.len()))?;
    for row in *rows {
        let Day { date, import_wh, export_wh, unmeasured_s, exact } = day(row);
        let month = date.get(..7).unwrap_or(&date);
        list.serialize_element(&Month { month, import_wh, export_wh, unmeasured_s, exact })?;
    }
    list.end()
}

pub(super) async fn energy<'a, C: Clock, N: Clock, M: RawMutex>(
    site: &Site<'a, C, N, M>,
    parts: &RequestParts<'_>,
) -> Result<Reply<'a>, Problem> {
    let plug = site.plug;
    let (most_days, most_months) = (DAYS.of(parts)?.unwrap_or(ROWS), MONTHS.of(parts)?.unwrap_or(ROWS));
    if plug.state.reading.borrow().is_none() {
        return Err(Problem::NothingMeasuredYet);
    }
    let days = rows(site, Query::Days).await;
    let months = rows(site, Query::Months).await;
    let kept = days.is_some() && months.is_some();
    let (days, months) = (days.unwrap_or_default(), months.unwrap_or_default());
    let Totals { import, export, below_noise, .. } =
        plug.state.totals().ok_or(Problem::NothingMeasuredYet)?;
    let page = EnergyPage {
        meter_id: plug.state.meter_id.get(),
        energy_import_wh: import.watt_hours(),
        energy_export_wh: export.watt_hours(),
        energy_below_noise_wh: below_noise.watt_hours(),
        unmeasured_s: plug.state.totals().map_or(0.0, |totals| totals.unmeasured_s()),
        kept,
        today: days.first().filter(|row| Some(i64::from(row.day)) == today(site)).map(day),
        days: days.get(..most_days).unwrap_or(&days),
        months: months.get(..most_months).unwrap_or(&months),
    };
    let most = TOTALS_JSON + ROW_JSON * (page.days.len() + page.months.len());
    Reply::json(site.budget, most, &page)
}

/// The newest days or months; `None` if the flash does not say.
async fn rows<C: Clock, N: Clock, M: RawMutex>(site: &Site<'_, C, N, M>, query: Query) -> Option<Vec<Row>> {
    match site.plug.state.archive.ask(site.plug.network_clock, query).await {
        Some(Found::Rows(rows)) => Some(rows),
        _ => None,
    }
}

/// The local day; `None` before the clock is trusted.
fn today<C: Clock, N: Clock, M: RawMutex>(site: &Site<'_, C, N, M>) -> Option<i64> {
    let settings = site.plug.state.settings.borrow();
    let zone = Zone::parse(&settings.time.posix).unwrap_or(Zone::UTC);
    site.plug.clock.time_of_day().map(|time| local_day(time, &zone))
}
