//! What the configuration can say on wasi:http, and what else a component is told. It runs anywhere: the component reads its
//! settings with it, and the build checks with it what it lays in.

pub mod settings;
pub mod values;

pub use crate::settings::{Given, Settings, StoreKind};
