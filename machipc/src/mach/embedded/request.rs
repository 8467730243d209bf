//! Dead-name and send-possible requests: what a name asks to be told.

use super::port::PortId;
use crate::mach::{
    MACH_PORT_TYPE_DNREQUEST, MACH_PORT_TYPE_SPREQUEST, MACH_PORT_TYPE_SPREQUEST_DELAYED, mach_port_type_t,
};

/// What a request waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The port's death.
    DeadName,
    /// Room in the port's queue, once a send with `MACH_SEND_NOTIFY` has met a full queue.
    SendPossibleStored,
    /// Room in the port's queue.
    SendPossibleArmed,
}

/// One armed request. It holds a send-once right to `notify`.
pub(super) struct Request {
    pub(super) kind: Kind,
    pub(super) notify: PortId,
}

impl Request {
    pub(super) fn type_bits(&self) -> mach_port_type_t {
        match self.kind {
            Kind::DeadName => MACH_PORT_TYPE_DNREQUEST,
            Kind::SendPossibleStored => {
                MACH_PORT_TYPE_DNREQUEST | MACH_PORT_TYPE_SPREQUEST | MACH_PORT_TYPE_SPREQUEST_DELAYED
            }
            Kind::SendPossibleArmed => MACH_PORT_TYPE_DNREQUEST | MACH_PORT_TYPE_SPREQUEST,
        }
    }
}
