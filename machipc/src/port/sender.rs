//! Who sent a message.

use crate::mach::{self, audit_token_t, security_token_t};

/// Who sent a message, as the kernel vouches for it: the identity of the sending process at the time of sending, whoever
/// gave it the right. Check it on every message, since rights can be handed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sender {
    audit: audit_token_t,
    security: [u32; 2],
}

impl Sender {
    /// The sender's process id. Process ids are reused: compare [`pid_version`](Self::pid_version) as well.
    pub fn pid(&self) -> u32 {
        self.audit.val[5]
    }

    /// A number that differs when the same process id denotes another program: after `exec` or reuse.
    pub fn pid_version(&self) -> u32 {
        self.audit.val[7]
    }

    /// The sender's real user id.
    pub fn uid(&self) -> u32 {
        self.audit.val[3]
    }

    /// The sender's real group id.
    pub fn gid(&self) -> u32 {
        self.audit.val[4]
    }

    /// The sender's effective user id.
    pub fn euid(&self) -> u32 {
        self.audit.val[1]
    }

    /// The sender's effective group id.
    pub fn egid(&self) -> u32 {
        self.audit.val[2]
    }

    /// The audit token itself, for the system's own checks.
    pub fn audit_token(&self) -> [u32; 8] {
        self.audit.val
    }

    /// Whether the process is still there: that very one, whatever process has its id by now.
    /// [`process_lives`](crate::mach::process_lives) tells what is looked at.
    pub fn is_alive(&self) -> bool {
        mach::process_lives(&self.audit)
    }

    pub(super) const fn audit(&self) -> &audit_token_t {
        &self.audit
    }

    /// The process, in 64 bits: its id, and the version of that.
    #[inline]
    pub(crate) fn process(&self) -> u64 {
        u64::from(self.pid()) << 32 | u64::from(self.pid_version())
    }

    /// Whether the kernel itself made the message, as it makes notifications. No process can pass for it.
    pub fn is_kernel(&self) -> bool {
        self.audit.val == [0; 8] && self.security == [0, 1]
    }

    pub(crate) const fn new(security: security_token_t, audit: audit_token_t) -> Self {
        Self { audit, security: security.val }
    }
}
