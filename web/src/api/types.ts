// The wire shapes of /api/v1, named as in the contract. `null` is "does not exist", never 0.

export interface Reading {
  sequence: number;
  time: number | null;
  uptime_s: number;
  window: { cycles: number | null; samples: number; lost: number; duration_s: number; sample_rate_hz: number };
  voltage_v: number;
  current_a: number;
  active_power_w: number;
  apparent_power_va: number;
  reactive_power_var: number | null;
  power_factor: number | null;
  displacement_power_factor: number | null;
  frequency_hz: number | null;
  thd_voltage_pct: number | null;
  thd_current_pct: number | null;
  harmonics_max_order: number | null;
  crest_factor_current: number | null;
  voltage_dc_v: number | null;
  current_dc_a: number | null;
  current_total_a: number | null;
  current_noise_floor_a: number | null;
  current_noise_corrected_a: number | null;
  half_cycle: {
    voltage_min_v: number | null;
    voltage_max_v: number | null;
    current_min_a: number | null;
    current_max_a: number | null;
  };
  energy_import_wh: number;
  energy_export_wh: number;
  energy_below_noise_wh: number;
  unmeasured_s: number;
  calibration: { version: number; hash: string };
  relay: boolean;
  quality: string[];
}

export interface Info {
  id: string;
  name: string;
  version: string;
  git?: string | null;
  build?: string | null;
  board: string;
  chip?: string | null;
  source?: string | null;
  uptime_s: number;
  reset_reason?: string | null;
  setup_complete?: boolean;
  time?: number | null;
  sample_rate_hz?: number;
  nominal_voltage_v?: number;
  lost_samples?: number;
}

export interface Harmonic {
  order: number;
  voltage_v: number | null;
  voltage_phase_deg: number | null;
  current_a: number | null;
  current_phase_deg: number | null;
}

export interface Harmonics {
  sequence: number;
  max_order: number;
  orders: Harmonic[];
}

export interface RelayStatus {
  on: boolean;
  measured: boolean | null;
  commanded_by: string;
  reason: string;
  since: number | null;
  since_uptime_s: number;
  remaining_s: number | null;
  locked_out: boolean;
  switch_count: number;
}

export interface RelayChange {
  time: number | null;
  uptime_s: number;
  on: boolean;
  source: string;
  cause: string;
  reading_sequence: number | null;
  active_power_w: number | null;
  current_a: number | null;
}

/** A line of the plug's log, as it comes with the events. */
export interface LogLine {
  sequence: number;
  time: number | null;
  uptime_s: number;
  message: string;
}

export interface RelayCommand {
  on?: boolean;
  toggle?: true;
  /** Ends a lock-out. */
  rearm?: true;
  for_s?: number;
}
