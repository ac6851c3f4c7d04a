//! What the configuration can say on wasi:http, and what else a component is told. It runs anywhere: the component reads its
//! settings with it, and the build checks with it what it lays in.

pub mod given;
pub mod network;
pub mod origin;
pub mod settings;
pub mod values;

pub use crate::given::{Given, StoreKind};
pub use crate::network::Network;
pub use crate::origin::Origin;
pub use crate::settings::Settings;
