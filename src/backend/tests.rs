//! A backend against a simulated network.
