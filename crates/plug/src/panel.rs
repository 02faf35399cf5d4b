//! The plug's front: the tasks around the button's and the light's machines, for `run_rest` to join.

use core::cell::Cell;
use core::future::pending;
use core::time::Duration;

use embassy_futures::select::select;

use crate::core::button::{ButtonEvent, ButtonHeld, ButtonMachine};
use crate::core::led::{Inputs, NetworkLight, Pattern, lit, next_change};
use crate::limits;
use crate::net::{LinkState, WifiStatus};
use crate::platform::{Button, Clock, Instant, Led};

/// How often the light's inputs are looked at: a change that comes later than this looks late.
const LOOK: Duration = Duration::from_millis(50);

/// What button, light and web share; lives beside [`State`](crate::state::State), on the same executor.
#[derive(Debug, Default)]
pub struct Panel {
    held: Cell<ButtonHeld>,
    identify_until: Cell<Option<Instant>>,
    lit: Cell<bool>,
}

impl Panel {
    /// Nothing is pressed, the light is dark.
    #[must_use]
    pub const fn new() -> Self {
        Self { held: Cell::new(ButtonHeld::No), identify_until: Cell::new(None), lit: Cell::new(false) }
    }

    /// The light says for [`limits::IDENTIFY`] which plug this is; asked again, it begins anew.
    pub fn identify(&self, now: Instant) {
        self.identify_until.set(Some(now.after(limits::IDENTIFY)));
    }

    /// Whether it does.
    #[must_use]
    pub fn is_identifying(&self, now: Instant) -> bool {
        self.identify_until.get().is_some_and(|until| now < until)
    }

    /// How far a press of the button has come.
    #[must_use]
    pub fn held(&self) -> ButtonHeld {
        self.held.get()
    }

    /// Whether the light is lit.
    #[must_use]
    pub fn is_lit(&self) -> bool {
        self.lit.get()
    }
}

/// What the light shows of the network; `None`: a plug without a radio.
#[must_use]
pub fn network_light(wifi: Option<&WifiStatus>) -> NetworkLight {
    match wifi {
        None => NetworkLight::Fine,
        Some(WifiStatus { link: LinkState::Joined, .. }) => NetworkLight::Fine,
        Some(WifiStatus { access_point_open: true, .. }) => NetworkLight::AccessPoint,
        // None, and nobody can give it one: a plug with a button.
        Some(WifiStatus { link: LinkState::NoNetworkKnown, .. }) => NetworkLight::Fine,
        Some(_) => NetworkLight::Joining,
    }
}

/// Looks at the button and says what a person meant. Runs for ever; dropping the future forgets a press that goes on.
pub async fn button<B: Button, C: Clock>(
    button: &mut B,
    clock: &C,
    panel: &Panel,
    mut on_event: impl FnMut(ButtonEvent),
) -> ! {
    let mut machine = ButtonMachine::new();
    loop {
        let event = machine.handle(clock.now(), button.is_pressed());
        panel.held.set(machine.held());
        if let Some(event) = event {
            on_event(event);
        }
        let due = async {
            match machine.poll_at() {
                Some(due) => clock.sleep_until(due).await,
                None => pending().await,
            }
        };
        select(button.changed(), due).await;
    }
}

/// Lets the light show what `inputs` says; `held` and `identify` are the panel's and filled in here. Runs for ever;
/// dropping the future leaves the light as it is.
pub async fn led<L: Led, C: Clock>(led: &mut L, clock: &C, panel: &Panel, inputs: impl Fn() -> Inputs) -> ! {
    let (mut shown, mut since) = (Pattern::Off, clock.now());
    led.set(false);
    loop {
        let now = clock.now();
        let pattern =
            Pattern::of(&Inputs { held: panel.held(), identify: panel.is_identifying(now), ..inputs() });
        if pattern != shown {
            (shown, since) = (pattern, now);
        }
        let is_lit = lit(shown, now.since(since));
        if is_lit != panel.lit.replace(is_lit) {
            led.set(is_lit);
        }
        let change = next_change(shown, now.since(since)).unwrap_or(LOOK);
        clock.sleep_until(now.after(change.min(LOOK))).await;
    }
}
