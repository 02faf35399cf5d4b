//! The station: joins the known network and stays on it; opens the access point where that fails.
