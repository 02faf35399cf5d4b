//! What follows from what came of a request.

use super::{Doubt, Fingerprint, Machine, OutOfTurn, Phase, Sent};
use crate::limits;
use crate::platform::Instant;
use crate::uplink::answer::{Answer, Consequence};
use crate::uplink::batch::Batch;
use crate::uplink::resume::Standing;
use crate::uplink::status::{Conflict, State};

impl Machine {
    /// Takes what came of [`Action::Send`](super::Action::Send).
    pub fn sent(&mut self, now: Instant, sent: &Sent) {
        let Some(job) = self.job else { return };
        if job.asks && sent.whole && sent.rows > 1 && sent.answer.may_have_stored()
            || job.asks && sent.whole && matches!(sent.answer, Answer::NoAnswer | Answer::Broken)
        {
            (self.ask, self.limit) = (true, Some(sent.end));
        }
        match sent.answer.consequence() {
            Consequence::Done => self.done(sent),
            Consequence::Stop => self.stop(now),
            Consequence::Bisect if sent.rows > 1 => self.most = sent.rows / 2,
            Consequence::Bisect => self.refused(now, sent),
            Consequence::Smaller if sent.rows > 1 => {
                // One row tells whether it is the size.
                (self.most, self.ceiling) = (1, (sent.rows / 2).max(1));
            }
            Consequence::Smaller => self.stop(now),
            Consequence::Later => {
                if sent.answer.may_be_the_size() && sent.rows > 1 {
                    self.most = sent.rows / 2;
                }
                self.back_off(now);
            }
        }
    }

    /// There was nothing in that batch up to `end`: the log has a gap there.
    pub fn nothing_to_send(&mut self, end: u32) {
        match self.doubt {
            Some(Doubt { proof: Some(proof), last, .. }) if end >= last => {
                self.doubt = None;
                self.put_cursor(proof);
            }
            // The cursor stays at a row that there is: the server is compared with it.
            _ => self.empty_until = end,
        }
    }

    /// A test brought this row to the server.
    pub fn tested(&mut self, fingerprint: Fingerprint, time: u32) {
        if fingerprint != self.kept.fingerprint || time > self.kept.cursor {
            self.kept.out_of_turn = Some(OutOfTurn { fingerprint, time });
            self.hurry = true;
        }
    }

    /// The time of a row that says nothing about those before it.
    #[must_use]
    pub fn out_of_turn(&self) -> Option<u32> {
        self.kept.out_of_turn.filter(|row| row.fingerprint == self.kept.fingerprint).map(|row| row.time)
    }

    /// The settings changed, or somebody wanted a test, while a request was under way.
    pub fn interrupted(&mut self, batch: &Batch) {
        if let Some(job) = self.job {
            (self.ask, self.limit) = (job.asks, Some(batch.until));
        }
    }

    fn done(&mut self, sent: &Sent) {
        self.failures = 0;
        self.sent_rows = self.sent_rows.saturating_add(sent.rows);
        self.allowance = limits::UPLINK_REFUSED_ROWS;
        let seconds = sent.took.as_secs_f64().max(1e-3);
        let rate = f64::from(sent.rows) / seconds;
        // The mean of the last few posts, so that one slow answer does not make hours of minutes.
        self.rate = Some(self.rate.map_or(rate, |before| before + (rate - before) / 4.0));
        self.most = self.most.saturating_mul(2).min(self.ceiling);
        match &mut self.doubt {
            None => {
                self.hurry |= self.state == State::CatchingUp;
                self.put_cursor(sent.end);
            }
            Some(doubt) if doubt.proof.is_none() => {
                doubt.proof = Some(sent.end);
                // From the cursor on, again.
                self.empty_until = 0;
            }
            Some(_) => self.second_time(sent.end),
        }
    }

    /// A single row was refused.
    fn refused(&mut self, now: Instant, sent: &Sent) {
        if self.doubt.is_some_and(|doubt| doubt.proof.is_some()) {
            self.set_aside = self.set_aside.saturating_add(1);
            self.last_set_aside = Some(sent.end);
            self.second_time(sent.end);
            return;
        }
        let count = self.doubt.map_or(1, |doubt| doubt.count + 1);
        self.doubt = Some(Doubt { count, last: sent.end, proof: None });
        self.most = 1;
        if count >= self.allowance {
            // Next time some more: should it be the rows after all, their end is found.
            self.allowance = self.allowance.saturating_mul(2).min(limits::UPLINK_ROWS);
            self.stop(now);
        } else {
            // One row after the other is refused: no faster than this.
            self.phase = Phase::Resting { until: now.after(limits::UPLINK_REFUSED_PAUSE), stopped: false };
        }
    }

    /// A doubted row was tried once more, and is there or set aside.
    fn second_time(&mut self, end: u32) {
        match self.doubt {
            Some(Doubt { last, proof: Some(proof), .. }) if end >= last => {
                self.doubt = None;
                self.put_cursor(proof);
            }
            _ => self.put_cursor(end),
        }
        self.hurry = true;
    }

    fn stop(&mut self, now: Instant) {
        self.doubt = None;
        // Nobody waits for it: up to a tenth earlier, so that not all plugs come at once.
        let pause = limits::UPLINK_STOPPED_RETRY.mul_f64(1.0 - self.chance.part() / 10.0);
        self.phase = Phase::Resting { until: now.after(pause), stopped: true };
        self.hurry = true;
    }

    pub(super) fn back_off(&mut self, now: Instant) {
        let doublings = self.failures.min(6);
        self.failures = self.failures.saturating_add(1);
        let longest = limits::UPLINK_RETRY_FIRST.saturating_mul(1 << doublings);
        // Between the half of it and one and a half times that.
        let pause = longest
            .mul_f64(0.5 + self.chance.part())
            .clamp(limits::UPLINK_RETRY_FIRST, limits::UPLINK_RETRY_LONGEST);
        self.phase = Phase::Resting { until: now.after(pause), stopped: false };
    }

    /// Takes what came of [`Action::Ask`](super::Action::Ask).
    pub fn asked(&mut self, now: Instant, outcome: Result<Standing, Answer>) {
        match outcome {
            Ok(standing) => {
                (self.ask, self.asked, self.limit) = (false, 0, None);
                match standing {
                    Standing::From(time) => self.stands_at(time),
                    Standing::Back(time) => {
                        // All of that comes again, and is judged again.
                        self.doubt = None;
                        self.conflict = Some(Conflict::WentBack { server: time });
                        self.put_cursor(time);
                        self.hurry = true;
                    }
                    Standing::Unknown => {}
                    Standing::Conflict(conflict) => self.conflict = Some(conflict),
                }
            }
            Err(answer) => {
                self.asked += 1;
                let nobody = matches!(answer, Answer::NoAddress | Answer::NoLocalName | Answer::Unreachable);
                let spoke = !nobody && !matches!(answer, Answer::NoAnswer | Answer::Broken);
                let later = answer.consequence() == Consequence::Later;
                let enough = if spoke { limits::UPLINK_ASKED } else { limits::UPLINK_ASKED_SILENT };
                if spoke && !later || !nobody && self.asked >= enough {
                    // It does not say: the plug's own cursor counts, and the post tells what is wrong.
                    (self.ask, self.asked, self.limit) = (false, 0, None);
                } else {
                    self.back_off(now);
                }
            }
        }
    }

    /// The server has a row of this time. Where rows are in doubt that is a later one that was taken: they are not there.
    fn stands_at(&mut self, time: u32) {
        match &mut self.doubt {
            Some(Doubt { proof: Some(_), .. }) => {}
            Some(Doubt { proof: proof @ None, last, .. }) if *last < time => {
                *proof = Some(time);
                self.empty_until = 0;
            }
            _ => {
                if time > self.kept.cursor {
                    // Some of it was stored: it goes on, and was not too much. As many as before, and twice that.
                    self.failures = 0;
                    self.most = self.most.saturating_mul(4).min(self.ceiling);
                }
                self.put_cursor(time);
            }
        }
    }

    /// Takes what came of [`Action::AskTime`](super::Action::AskTime).
    pub fn time_asked(&mut self, now: Instant, told: bool) {
        if told {
            self.failures = 0;
        } else {
            self.back_off(now);
        }
    }
}
