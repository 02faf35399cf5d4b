//! From the fine steps of the physics to samples: the analogue filter in front of the converter, and the moments
//! at which the two channels are sampled.

/// What stands before the converter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    /// A linear-phase low-pass, half at half the sample rate, flat to a third of it, 75 dB from two
    /// thirds: as good as boards get.
    Steep,
    /// One resistor and one capacitor, with this corner in hertz.
    Rc(f64),
    /// Nothing: what is above half the sample rate folds back.
    None,
}

/// Length of the steep filter in sample periods; half of it is its delay.
const STEEP_PERIODS: usize = 14;
/// Kaiser's beta for 75 dB (Kaiser 1974): what passes is right to 0.02 %.
const BETA: f64 = 7.306;
/// Taps are taken in groups of this many, in a fixed order of summing: the same bits everywhere, and fast.
const LANES: usize = 8;

/// Both channels' history and the kernels that make samples of it.
#[derive(Clone, Debug)]
pub(super) struct Decimator {
    voltage: Line,
    current: Line,
    delay_s: f64,
    rc: Option<Rc>,
}

/// One channel.
#[derive(Clone, Debug)]
struct Line {
    kernel: Vec<f64>,
    /// Steps by which the kernel's newest tap lies before the newest step.
    behind: usize,
    history: Vec<f64>,
    keep: usize,
}

/// The resistor and the capacitor of both channels.
#[derive(Clone, Debug)]
struct Rc {
    share: f64,
    voltage: f64,
    current: f64,
}

impl Decimator {
    /// `steps` of the physics make one sample; the current is sampled `skew_steps` later than the voltage.
    pub(super) fn new(kind: Kind, steps: usize, step_s: f64, skew_steps: f64) -> Self {
        let length = match kind {
            Kind::Steep => STEEP_PERIODS * steps,
            // Linear interpolation between three steps.
            Kind::Rc(_) | Kind::None => 3,
        };
        let design = |shift: f64| match kind {
            Kind::Steep => steep(length, steps, shift),
            Kind::Rc(_) | Kind::None => hat(length, shift),
        };
        let whole = skew_steps.round();
        let (late, fraction) = (whole.abs() as usize, skew_steps - whole);
        let (voltage_behind, current_behind) = if whole >= 0.0 { (late, 0) } else { (0, late) };
        let rc = match kind {
            Kind::Rc(corner) => {
                let time = (core::f64::consts::TAU * corner).recip();
                Some(Rc { share: 1.0 - libm::exp(-step_s / time), voltage: 0.0, current: 0.0 })
            }
            Kind::Steep | Kind::None => None,
        };
        let keep = length.next_multiple_of(LANES) + late;
        Self {
            voltage: Line::new(design(0.0), voltage_behind, keep, steps),
            current: Line::new(design(fraction), current_behind, keep, steps),
            delay_s: ((length - 1) as f64 / 2.0 + voltage_behind as f64) * step_s,
            rc,
        }
    }

    /// What the voltage's filter leaves of a frequency, whose angle over one step is given.
    pub(super) fn gain(&self, angle: f64) -> f64 {
        let (mut re, mut im) = (0.0, 0.0);
        for (tap, weight) in self.voltage.kernel.iter().enumerate() {
            let (sin, cos) = libm::sincos(angle * tap as f64);
            re += weight * cos;
            im += weight * sin;
        }
        let rc = self.rc.as_ref().map_or(1.0, |rc| {
            let kept = 1.0 - rc.share;
            rc.share / libm::sqrt(1.0 - 2.0 * kept * libm::cos(angle) + kept * kept)
        });
        libm::sqrt(re * re + im * im) * rc
    }

    /// How long before the newest step the voltage of a sample was there (without a resistor's and capacitor's lag).
    pub(super) fn delay_s(&self) -> f64 {
        self.delay_s
    }

    /// Steps until the history is full.
    pub(super) fn settling_steps(&self) -> usize {
        self.voltage.keep
    }

    /// Takes one step of the physics.
    #[inline]
    pub(super) fn push(&mut self, voltage: f64, current: f64) {
        if let Some(rc) = &mut self.rc {
            rc.voltage += rc.share * (voltage - rc.voltage);
            rc.current += rc.share * (current - rc.current);
            self.voltage.push(rc.voltage);
            self.current.push(rc.current);
        } else {
            self.voltage.push(voltage);
            self.current.push(current);
        }
    }

    /// Voltage and current as the converter sees them now.
    pub(super) fn sample(&self) -> (f64, f64) {
        (self.voltage.sample(), self.current.sample())
    }
}

impl Line {
    fn new(mut kernel: Vec<f64>, behind: usize, keep: usize, steps: usize) -> Self {
        // Zeros in front (the oldest) fill the last group.
        let missing = kernel.len().next_multiple_of(LANES) - kernel.len();
        kernel.splice(0..0, std::iter::repeat_n(0.0, missing));
        let mut history = Vec::with_capacity(keep + 64 * steps);
        history.resize(keep, 0.0);
        Self { kernel, behind, history, keep }
    }

    #[inline]
    fn push(&mut self, value: f64) {
        if self.history.len() == self.history.capacity() {
            let old = self.history.len() - self.keep;
            self.history.drain(..old);
        }
        self.history.push(value);
    }

    fn sample(&self) -> f64 {
        let end = self.history.len() - self.behind;
        let newest = self.history.get(end - self.kernel.len()..end).unwrap_or_default();
        let mut sums = [0.0; LANES];
        for (taps, values) in self.kernel.chunks_exact(LANES).zip(newest.chunks_exact(LANES)) {
            for ((sum, tap), value) in sums.iter_mut().zip(taps).zip(values) {
                *sum += tap * value;
            }
        }
        sums.iter().sum()
    }
}

/// Linear interpolation, `shift` steps (at most half of one) later than the middle.
fn hat(length: usize, shift: f64) -> Vec<f64> {
    let middle = (length - 1) as f64 / 2.0 + shift;
    (0..length).map(|tap| (1.0 - (tap as f64 - middle).abs()).max(0.0)).collect()
}

/// A sinc under Kaiser's window with its middle `shift` steps later than the middle of the taps.
fn steep(length: usize, steps: usize, shift: f64) -> Vec<f64> {
    let half = length as f64 / 2.0;
    let middle = (length - 1) as f64 / 2.0 + shift;
    let mut kernel: Vec<f64> = (0..length)
        .map(|tap| {
            let from_middle = tap as f64 - middle;
            let place = from_middle / half;
            let window = bessel(BETA * libm::sqrt((1.0 - place * place).max(0.0)));
            let angle = core::f64::consts::PI * from_middle / steps as f64;
            let sinc = if angle.abs() < 1e-9 { 1.0 } else { libm::sin(angle) / angle };
            window * sinc
        })
        .collect();
    let sum: f64 = kernel.iter().sum();
    kernel.iter_mut().for_each(|tap| *tap /= sum);
    kernel
}

/// The modified Bessel function I0, by its series.
fn bessel(x: f64) -> f64 {
    let quarter = x * x / 4.0;
    let (mut sum, mut term) = (1.0, 1.0);
    for k in 1..40 {
        term *= quarter / f64::from(k * k);
        sum += term;
    }
    sum
}
