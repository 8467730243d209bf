//! Requests for notifications: no-senders, port-destroyed, dead-name, send-possible.

use super::kernel::Kernel;
use super::message::Right;
use super::port::PortId;
use super::request::{Kind, Request};
use super::space::Object;
use crate::mach::*;

type Result<T = ()> = core::result::Result<T, kern_return_t>;

impl Kernel {
    pub(super) fn request_notification(
        &mut self,
        name: mach_port_name_t,
        variant: mach_msg_id_t,
        sync: mach_port_mscount_t,
        notify: mach_port_name_t,
        disposition: mach_msg_type_name_t,
    ) -> Result<mach_port_name_t> {
        if notify == MACH_PORT_DEAD {
            return Err(KERN_INVALID_CAPABILITY);
        }
        if notify != MACH_PORT_NULL
            && disposition != MACH_MSG_TYPE_MOVE_SEND_ONCE
            && disposition != MACH_MSG_TYPE_MAKE_SEND_ONCE
        {
            return Err(KERN_INVALID_VALUE);
        }
        let notify = match notify {
            MACH_PORT_NULL => None,
            notify => Some(self.take_for_call(notify, disposition)?),
        };
        let port = notify.as_ref().map(Right::port);
        let previous = match variant {
            MACH_NOTIFY_NO_SENDERS => self.request_no_senders(name, sync, port),
            MACH_NOTIFY_PORT_DESTROYED => self.request_port_destroyed(name, sync, port),
            MACH_NOTIFY_DEAD_NAME | MACH_NOTIFY_SEND_POSSIBLE => {
                self.request_on_name(name, variant == MACH_NOTIFY_SEND_POSSIBLE, sync, port)
            }
            _ => Err(KERN_INVALID_VALUE),
        };
        match previous {
            Ok(None) => Ok(MACH_PORT_NULL),
            Ok(Some(previous)) => self.name_send_once(previous).ok_or(KERN_NO_SPACE),
            Err(code) => {
                // The right that the failed call took is gone, and says so.
                if let Some(notify) = notify {
                    self.release(notify);
                }
                Err(code)
            }
        }
    }

    fn request_no_senders(
        &mut self,
        name: mach_port_name_t,
        sync: mach_port_mscount_t,
        notify: Option<PortId>,
    ) -> Result<Option<PortId>> {
        let port = self.receive_right(name)?;
        let state = self.port_mut(port);
        let previous = state.no_senders.take();
        let (senders, count) = (state.send_rights, state.make_send_count);
        match notify {
            Some(notify) if senders == 0 && sync <= count => {
                self.notify_name(notify, MACH_NOTIFY_NO_SENDERS, count);
            }
            notify => state.no_senders = notify,
        }
        Ok(previous)
    }

    fn request_port_destroyed(
        &mut self,
        name: mach_port_name_t,
        sync: mach_port_mscount_t,
        notify: Option<PortId>,
    ) -> Result<Option<PortId>> {
        if sync != 0 {
            return Err(KERN_INVALID_VALUE);
        }
        let port = self.receive_right(name)?;
        let state = self.port_mut(port);
        if state.port_destroyed.is_some() {
            return Err(KERN_FAILURE);
        }
        state.port_destroyed = notify;
        Ok(None)
    }

    fn request_on_name(
        &mut self,
        name: mach_port_name_t,
        send_possible: bool,
        sync: mach_port_mscount_t,
        notify: Option<PortId>,
    ) -> Result<Option<PortId>> {
        if name == MACH_PORT_NULL || name == MACH_PORT_DEAD {
            return Err(KERN_INVALID_ARGUMENT);
        }
        let entry = self.entry(name).ok_or(KERN_INVALID_NAME)?;
        let (port, once) = match entry.object {
            Object::Port { port, .. } => (port, false),
            Object::SendOnce(port) => (port, true),
            Object::Set(_) => return Err(KERN_INVALID_RIGHT),
            Object::Dead => {
                let Some(notify) = notify.filter(|_| send_possible) else {
                    return Err(KERN_INVALID_ARGUMENT);
                };
                entry.add_ref();
                self.notify_name(notify, MACH_NOTIFY_DEAD_NAME, name);
                return Ok(None);
            }
        };
        // A send-once right whose port has died unnoticed was noticed by `entry` above, so the port lives.
        let previous = self.cancel_request(name, false);
        let Some(notify) = notify else { return Ok(previous) };
        let full = !once && self.port(port).is_full();
        let kind = match (send_possible, sync) {
            (false, _) => Kind::DeadName,
            (true, 0) => Kind::SendPossibleStored,
            (true, _) if full => Kind::SendPossibleArmed,
            (true, _) => {
                self.notify_name(notify, MACH_NOTIFY_SEND_POSSIBLE, name);
                return Ok(previous);
            }
        };
        if let Some(entry) = self.space.get_mut(name) {
            entry.request = Some(Box::new(Request { kind, notify }));
        }
        self.port_mut(port).requests.push(name);
        Ok(previous)
    }
}
