//! The bodies of the control socket: what the server sends, the CLI reads and scripts rely on.
//!
//! Fields may be added, never renamed or taken away. Words are those of the configuration file.

mod check;
mod choice;
mod config;
mod drops;
mod events;
mod handshakes;
mod node;
mod service;
mod trace;

pub use check::{Change, Check};
pub use choice::{Candidate, Client, Explained, FlushQuery, Forgotten};
pub use config::{
    Applied, Checked, Confirmed, Forecast, MtuForecast, Planned, Refused, ServiceForecast, SnatForecast,
};
pub use drops::{Dropped, DroppedFrame};
pub use events::Event;
pub use handshakes::{Handshakes, Within};
pub use node::{
    BfdSession, Dispute, Drop, FlowTable, Frames, Interface, Neighbour, Ring, Stats, Status, Vrrp, VrrpState,
    Worker, WorkerFrames, tags_word, xdp_word,
};
pub use service::{
    Admin, Backend, BackendChange, BackendState, Backup, DrainView, Flow, Service, SnatPool, SynProxy,
    flow_state_word,
};
pub use trace::{Trace, TraceProtocol, TraceQuery, TraceStep};
