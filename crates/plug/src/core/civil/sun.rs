//! Sunrise and sunset of a day at a place, within two minutes between 65° S and 65° N.
//!
//! The low accuracy formulas of Jean Meeus, "Astronomical Algorithms" (2nd ed. 1998), chapters 15, 22, 25 and 28, in
//! the form of NOAA's solar calculator (gml.noaa.gov/grad/solcalc): the sun's place to 0.01°, an ideal horizon,
//! refraction of 34' and a radius of 16'. Mountains and weather move the real sunrise by more.

use core::f64::consts::PI;

/// The sun's centre at rising and setting, in degrees above the horizon.
const ALTITUDE_DEG: f64 = -0.833;
const RADIANS: f64 = PI / 180.0;
/// The sun moves 15° an hour.
const SECONDS_A_DEGREE: f64 = 240.0;

/// A place on the earth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Position {
    /// North is positive; -90 to 90.
    pub latitude_deg: f64,
    /// East is positive; -180 to 180.
    pub longitude_deg: f64,
}

impl Position {
    /// A place, if both numbers are there and in range.
    #[must_use]
    pub fn new(latitude_deg: Option<f64>, longitude_deg: Option<f64>) -> Option<Self> {
        let latitude_deg = latitude_deg.filter(|degrees| (-90.0..=90.0).contains(degrees))?;
        let longitude_deg = longitude_deg.filter(|degrees| (-180.0..=180.0).contains(degrees))?;
        Some(Self { latitude_deg, longitude_deg })
    }
}

/// When the sun comes and goes; both `None` on a day without (polar day and polar night).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SunTimes {
    /// Unix seconds.
    pub rise: Option<i64>,
    /// Unix seconds.
    pub set: Option<i64>,
}

impl SunTimes {
    /// Of the day whose local noon is at `noon` (Unix seconds): the sunrise before and the sunset after the sun's
    /// highest stand nearest to it. Where the clock is half a day off the sun, that is what the day's sun means.
    #[must_use]
    pub fn of_day(noon: i64, position: Position) -> Self {
        let near = super::in_range(noon) as f64;
        let sun = Sun::at(near);
        let transit = near + until_transit(near, position.longitude_deg, sun.equation_s);
        let latitude = position.latitude_deg * RADIANS;
        let (sine, cosine) = (libm::sin(latitude), libm::cos(latitude));
        // The sun moves on between noon and its rising: a second look from where the first one led is enough.
        let event = |sign: f64| {
            let first = transit + sign * sun.half_day_s(sine, cosine)?;
            let then = Sun::at(first);
            let seconds =
                transit + sun.equation_s - then.equation_s + sign * then.half_day_s(sine, cosine)?;
            Some(libm::round(seconds) as i64)
        };
        let (rise, set) = (event(-1.0), event(1.0));
        // On the border of the polar day one of the two may be missing; half a day is none.
        if rise.is_none() || set.is_none() { Self::default() } else { Self { rise, set } }
    }
}

/// How long from `near` to the nearest time the sun stands in the meridian; less than half a day either way.
fn until_transit(near: f64, longitude_deg: f64, equation_s: f64) -> f64 {
    // Solar time less noon, as a part of a day.
    let solar_s = near + longitude_deg * SECONDS_A_DEGREE + equation_s - 43_200.0;
    let days = solar_s / 86_400.0;
    (libm::round(days) - days) * 86_400.0
}

/// Where the sun stands, and how far a sundial is ahead.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Sun {
    sine_declination: f64,
    cosine_declination: f64,
    /// The equation of time.
    equation_s: f64,
}

impl Sun {
    fn at(unix: f64) -> Self {
        // Julian centuries since 2000-01-01 12:00. That the earth is a minute late since then (TT - UTC) moves the sun
        // by less than a thousandth of a degree.
        let centuries = (unix - 946_728_000.0) / (36_525.0 * 86_400.0);
        let mean_longitude = (280.466_46 + centuries * (36_000.769_83 + centuries * 0.000_303_2)) * RADIANS;
        let anomaly = (357.529_11 + centuries * (35_999.050_29 - centuries * 0.000_153_7)) * RADIANS;
        let eccentricity = 0.016_708_634 - centuries * (0.000_042_037 + centuries * 0.000_000_126_7);
        let (sine, cosine) = (libm::sin(anomaly), libm::cos(anomaly));
        // Sines of the double and the triple: a sine costs more than a product.
        let sine_double = 2.0 * sine * cosine;
        let sine_triple = sine * (3.0 - 4.0 * sine * sine);
        let centre = sine * (1.914_602 - centuries * (0.004_817 + centuries * 0.000_014))
            + sine_double * (0.019_993 - centuries * 0.000_101)
            + sine_triple * 0.000_289;
        // The moon's node turns the earth's axis a little (nutation), and light takes its time (aberration).
        let node = (125.04 - 1_934.136 * centuries) * RADIANS;
        let longitude = mean_longitude + (centre - 0.005_69 - 0.004_78 * libm::sin(node)) * RADIANS;
        let mean_obliquity =
            23.439_291 - centuries * (0.013_004_2 + centuries * (0.000_000_16 - centuries * 0.000_000_504));
        let obliquity = (mean_obliquity + 0.002_56 * libm::cos(node)) * RADIANS;
        let (sine_obliquity, cosine_obliquity) = (libm::sin(obliquity), libm::cos(obliquity));
        let sine_declination = sine_obliquity * libm::sin(longitude);
        let half_tangent = (1.0 - cosine_obliquity) / sine_obliquity;
        let y = half_tangent * half_tangent;
        let (sine_2l, cosine_2l) = (libm::sin(2.0 * mean_longitude), libm::cos(2.0 * mean_longitude));
        let equation = y * sine_2l - 2.0 * eccentricity * sine + 4.0 * eccentricity * y * sine * cosine_2l
            - y * y * sine_2l * cosine_2l
            - 1.25 * eccentricity * eccentricity * sine_double;
        Self {
            sine_declination,
            cosine_declination: libm::sqrt(1.0 - sine_declination * sine_declination),
            equation_s: equation / RADIANS * SECONDS_A_DEGREE,
        }
    }

    /// From rising to the highest stand, for the sine and cosine of the latitude; `None` if it does not rise or set.
    fn half_day_s(&self, sine: f64, cosine: f64) -> Option<f64> {
        let altitude = libm::sin(ALTITUDE_DEG * RADIANS);
        let cosine_angle = (altitude - sine * self.sine_declination) / (cosine * self.cosine_declination);
        let rises = (-1.0..=1.0).contains(&cosine_angle);
        rises.then(|| libm::acos(cosine_angle) / RADIANS * SECONDS_A_DEGREE)
    }
}
