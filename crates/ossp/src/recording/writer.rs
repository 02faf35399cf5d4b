//! Writes recordings, for tests and for taking simulated samples elsewhere.

use std::io::{self, Write};

use metering::calibration::{Calibration, ChannelCalibration};
use metering::front_end::{FrontEnd, Pair};

/// In which columns a [`Writer`] puts its pairs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Converter counts; nothing is lost.
    Raw,
    /// Volts and amperes, rounded to what the reader sees: 0.1 mV and 10 uA.
    Physical,
}

/// Writes a recording: its header at once, then pairs.
pub struct Writer<W> {
    out: W,
    scale: Scale,
    voltage: ChannelCalibration,
    current: ChannelCalibration,
}

impl<W: Write> Writer<W> {
    /// Writes the header. `extra` are more keys and values, one line each; `lost` are gaps, each the row before
    /// which pairs are missing and their number.
    ///
    /// # Errors
    /// If `out` fails.
    pub fn new(
        mut out: W,
        scale: Scale,
        front_end: &FrontEnd,
        calibration: &Calibration,
        lost: &[(u64, u32)],
        extra: &[(&str, &str)],
    ) -> io::Result<Self> {
        writeln!(out, "# sample_rate_hz: {}", front_end.sample_rate.0)?;
        writeln!(out, "# channel_skew_s: {}", front_end.channel_skew.0)?;
        writeln!(out, "# phase_deg: {}", calibration.phase.0)?;
        writeln!(out, "# mains_nominal: {} V", front_end.nominal_voltage.0)?;
        writeln!(out, "# dc_coupled: {} {}", front_end.voltage.dc_coupled, front_end.current.dc_coupled)?;
        if let Some(noise) = calibration.current_noise_floor {
            writeln!(out, "# current_noise_a: {}", noise.0)?;
        }
        for (index, count) in lost {
            writeln!(out, "# lost: {index} {count}")?;
        }
        for (key, value) in extra {
            writeln!(out, "# {key}: {value}")?;
        }
        let (voltage, current) = (calibration.voltage, calibration.current);
        match scale {
            Scale::Physical => writeln!(out, "# units: V, A\nvoltage_v,current_a")?,
            Scale::Raw => {
                writeln!(out, "# voltage_lsb_v: {}", voltage.gain)?;
                writeln!(out, "# current_lsb_a: {}", current.gain)?;
                writeln!(out, "# voltage_zero_raw: {}", voltage.zero_raw)?;
                writeln!(out, "# current_zero_raw: {}", current.zero_raw)?;
                writeln!(out, "# voltage_raw_min: {}", front_end.voltage.lowest)?;
                writeln!(out, "# voltage_raw_max: {}", front_end.voltage.highest)?;
                writeln!(out, "# current_raw_min: {}", front_end.current.lowest)?;
                writeln!(out, "# current_raw_max: {}", front_end.current.highest)?;
                writeln!(out, "voltage_raw,current_raw")?;
            }
        }
        Ok(Self { out, scale, voltage, current })
    }

    /// Writes one row a pair.
    ///
    /// # Errors
    /// If `out` fails.
    pub fn write(&mut self, pairs: &[Pair]) -> io::Result<()> {
        for pair in pairs {
            match self.scale {
                Scale::Raw => writeln!(self.out, "{},{}", pair.voltage, pair.current)?,
                Scale::Physical => {
                    let volts = self.voltage.gain * (f64::from(pair.voltage) - self.voltage.zero_raw);
                    let amperes = self.current.gain * (f64::from(pair.current) - self.current.zero_raw);
                    writeln!(self.out, "{volts:.4},{amperes:.5}")?;
                }
            }
        }
        Ok(())
    }

    /// Writes what is buffered and gives the output back.
    ///
    /// # Errors
    /// If `out` fails.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }
}
