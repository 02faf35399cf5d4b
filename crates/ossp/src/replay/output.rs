//! What `ossp replay` prints: a table for people, JSON, or CSV; each as soon as it is known.

use std::io::{self, Write};

use metering::reading::Reading;

use super::{Format, Summary};

/// Writes results in one of the formats.
pub(super) struct Output<W> {
    to: W,
    format: Format,
    /// Whether there are several files: JSON is then an array.
    several: bool,
    files: usize,
    readings: usize,
}

const TABLE_HEAD: &str = "file                          time s  windows      U V       I A       P W      S VA     Q var      PF     f Hz  THDu %  THDi %  energy Wh";

impl<W: Write> Output<W> {
    pub(super) fn new(to: W, format: Format, several: bool) -> Self {
        Self { to, format, several, files: 0, readings: 0 }
    }

    pub(super) fn begin_file(&mut self, name: &str) -> io::Result<()> {
        let first = self.files == 0;
        self.files += 1;
        self.readings = 0;
        match self.format {
            Format::Table if first => writeln!(self.to, "{TABLE_HEAD}"),
            Format::Csv if first => writeln!(self.to, "{}", csv_head()),
            Format::Json => {
                let before = match (self.several, first) {
                    (false, _) => "",
                    (true, true) => "[\n",
                    (true, false) => ",\n",
                };
                write!(self.to, "{before}{{\"file\":{},\"readings\":[", json(&name)?)
            }
            _ => Ok(()),
        }
    }

    pub(super) fn reading(&mut self, name: &str, reading: &Reading) -> io::Result<()> {
        self.readings += 1;
        match self.format {
            Format::Table => Ok(()),
            Format::Json => {
                let before = if self.readings == 1 { "\n" } else { ",\n" };
                write!(self.to, "{before}{}", json(reading)?)
            }
            Format::Csv => writeln!(self.to, "{}", csv_row(name, reading)),
        }
    }

    /// `reproduced`: whether a captured window gave the plug's own reading again, where there is one.
    pub(super) fn end_file(
        &mut self,
        name: &str,
        summary: &Summary,
        reproduced: Option<bool>,
    ) -> io::Result<()> {
        match self.format {
            Format::Csv => Ok(()),
            Format::Json => {
                let verdict = reproduced.map_or_else(String::new, |same| format!(",\"reproduced\":{same}"));
                write!(self.to, "\n],\"summary\":{}{verdict}}}", json(summary)?)?;
                if self.several { Ok(()) } else { writeln!(self.to) }
            }
            Format::Table => {
                writeln!(self.to, "{}", table_row(name, summary))?;
                if let Some(remark) = remark(summary, reproduced) {
                    writeln!(self.to, "  {remark}")?;
                }
                Ok(())
            }
        }
    }

    pub(super) fn finish(&mut self) -> io::Result<()> {
        if self.format == Format::Json && self.several {
            let end = if self.files == 0 { "[]" } else { "\n]" };
            writeln!(self.to, "{end}")?;
        }
        self.to.flush()
    }
}

fn json<T: serde::Serialize>(value: &T) -> io::Result<String> {
    serde_json::to_string(value).map_err(io::Error::other)
}

fn number(value: Option<f64>, width: usize, digits: usize) -> String {
    value.map_or_else(|| format!("{:>width$}", "-"), |value| format!("{value:width$.digits$}"))
}

fn table_row(path: &str, summary: &Summary) -> String {
    let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
    [
        format!("{name:<27}"),
        number(Some(summary.duration_s), 9, 3),
        format!("{:8}", summary.windows),
        number(summary.voltage_v, 8, 2),
        number(summary.current_a, 9, 4),
        number(summary.active_power_w, 9, 2),
        number(summary.apparent_power_va, 9, 2),
        number(summary.reactive_power_var, 9, 2),
        number(summary.power_factor, 7, 4),
        number(summary.frequency_hz, 8, 3),
        number(summary.thd_voltage_pct, 7, 2),
        number(summary.thd_current_pct, 7, 2),
        number(Some(summary.energy_import_wh - summary.energy_export_wh), 10, 5),
    ]
    .join(" ")
}

/// What a reader of the table should know beside the numbers.
fn remark(summary: &Summary, reproduced: Option<bool>) -> Option<String> {
    let mut parts = Vec::new();
    if summary.windows == 0 {
        parts.push("no whole window in it".to_owned());
    }
    if summary.leading_s + summary.trailing_s > 0.0 {
        parts.push(format!(
            "left over: {:.4} s before the first edge, {:.4} s after the last",
            summary.leading_s, summary.trailing_s
        ));
    }
    if summary.unmeasured_s > 0.0 {
        parts.push(format!("{:.4} s lost", summary.unmeasured_s));
    }
    let flags: Vec<&str> = summary.quality.iter().map(metering::quality::Flag::name).collect();
    if !flags.is_empty() {
        parts.push(format!("flags: {}", flags.join(", ")));
    }
    match reproduced {
        Some(true) => parts.push("the plug's own reading, bit for bit".to_owned()),
        Some(false) => {
            parts.push("NOT the plug's own reading: samples or calibration were changed".to_owned())
        }
        None => {}
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// Columns of the CSV and where they stand in a reading.
const COLUMNS: [&str; 33] = [
    "sequence",
    "uptime_s",
    "window.cycles",
    "window.samples",
    "window.lost",
    "window.duration_s",
    "window.sample_rate_hz",
    "voltage_v",
    "current_a",
    "active_power_w",
    "apparent_power_va",
    "reactive_power_var",
    "power_factor",
    "displacement_power_factor",
    "frequency_hz",
    "thd_voltage_pct",
    "thd_current_pct",
    "harmonics_max_order",
    "crest_factor_current",
    "voltage_dc_v",
    "current_dc_a",
    "current_total_a",
    "current_noise_floor_a",
    "current_noise_corrected_a",
    "half_cycle.voltage_min_v",
    "half_cycle.voltage_max_v",
    "half_cycle.current_min_a",
    "half_cycle.current_max_a",
    "energy_import_wh",
    "energy_export_wh",
    "energy_below_noise_wh",
    "unmeasured_s",
    "quality",
];

fn csv_head() -> String {
    let names = COLUMNS.iter().map(|column| column.replace('.', "_"));
    std::iter::once("file".to_owned()).chain(names).collect::<Vec<_>>().join(",")
}

/// Null is an empty field, flags are separated by spaces.
fn csv_row(name: &str, reading: &Reading) -> String {
    let value = serde_json::to_value(reading).unwrap_or_default();
    let field = |column: &&str| {
        let found = column.split('.').try_fold(&value, |value, key| value.get(key));
        match found {
            None | Some(serde_json::Value::Null) => String::new(),
            Some(serde_json::Value::Array(flags)) => {
                flags.iter().filter_map(|flag| flag.as_str()).collect::<Vec<_>>().join(" ")
            }
            Some(other) => other.to_string(),
        }
    };
    let quoted = if name.contains([',', '"', '\n']) {
        format!("\"{}\"", name.replace('"', "\"\""))
    } else {
        name.to_owned()
    };
    std::iter::once(quoted).chain(COLUMNS.iter().map(field)).collect::<Vec<_>>().join(",")
}
