//! Many rights in one descriptor.

use core::fmt;
use core::marker::PhantomData;

use crate::message::{
    Attachment, Decode, DecodeError, Decoder, Encode, EncodeError, Encoder, MachMessage, RightCell,
    RightKind, Schema,
};

use super::{ReceiveRight, SendOnceRight, SendRight};

/// Many rights of one kind that travel as an array out of line: one descriptor however many they are, where a `Vec` of
/// rights has one descriptor each. The two are different types on the wire.
///
/// Recent systems let hardened processes receive no such arrays, so a `Vec` is the better choice for a few rights.
///
/// ```
/// use machipc::port::{Deadline, MessageBuffer, Outgoing, ReceiveRight, RightArray, SendRight};
///
/// let port = ReceiveRight::<RightArray<SendRight<u32>>>::new()?;
/// let to = port.make_send()?;
/// let other = ReceiveRight::<u32>::new()?;
/// let rights: Vec<_> = (0..1000).map(|_| other.make_send()).collect::<Result<_, _>>()?;
///
/// let mut buffer = MessageBuffer::new();
/// let array = RightArray::from(rights);
/// Outgoing::message(&mut buffer, &array)?.copy_send(&to).send(Deadline::never())?;
/// let received = port.receive(&mut buffer, Deadline::never())?;
/// let rights: Vec<SendRight<u32>> = received.decode::<RightArray<SendRight<u32>>>()?.into();
/// assert_eq!(rights.len(), 1000);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct RightArray<R: Right> {
    cells: Vec<RightCell>,
    right: PhantomData<R>,
}

/// A kind of right that can be in a [`RightArray`].
pub trait Right: sealed::Sealed {}

impl<M> Right for SendRight<M> {}
impl<M> Right for SendOnceRight<M> {}
impl<M> Right for ReceiveRight<M> {}

impl<R: Right> RightArray<R> {
    /// How many rights there are, sent away or not.
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }
}

impl<R: Right> From<Vec<R>> for RightArray<R> {
    /// Puts rights together. A receive right that was [pinned](ReceiveRight::pinned) is not any more.
    fn from(rights: Vec<R>) -> Self {
        let cells = rights.into_iter().map(|right| RightCell::new(right.into_name())).collect();
        Self { cells, right: PhantomData }
    }
}

impl<R: Right> From<RightArray<R>> for Vec<R> {
    fn from(array: RightArray<R>) -> Self {
        array.cells.iter().map(|cell| R::from_name(cell.take())).collect()
    }
}

impl<R: Right> Drop for RightArray<R> {
    fn drop(&mut self) {
        for cell in &self.cells {
            drop(R::from_name(cell.take()));
        }
    }
}

impl<R: Right> fmt::Debug for RightArray<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.cells.iter().map(|cell| format!("{:#x}", cell.get()))).finish()
    }
}

impl<R: Right + Encode> Encode for RightArray<R> {
    const MIN_SIZE: usize = 4;

    fn schema(schema: &mut Schema) {
        schema.push("ool[");
        schema.part::<R>();
        schema.push("]");
    }

    fn encode<'m>(&'m self, out: &mut Encoder<'m>) -> Result<(), EncodeError> {
        if let Some(index) = self.cells.iter().position(|cell| cell.get() == 0) {
            return Err(EncodeError::new("the right has been sent already").in_element(index));
        }
        out.attach(Attachment::Rights(R::KIND, &self.cells))
    }
}

impl<'de, R: Right + Encode> Decode<'de> for RightArray<R> {
    fn decode(input: &mut Decoder<'de>) -> Result<Self, DecodeError> {
        let cells = input.rights(R::KIND)?.into_iter().map(RightCell::new).collect();
        Ok(Self { cells, right: PhantomData })
    }
}

impl<R: Right + Encode> MachMessage for RightArray<R> {
    type View<'a> = Self;
}

mod sealed {
    use super::*;

    pub trait Sealed: Sized {
        const KIND: RightKind;
        fn from_name(name: u32) -> Self;
        fn into_name(self) -> u32;
    }

    impl<M> Sealed for SendRight<M> {
        const KIND: RightKind = RightKind::Send;
        fn from_name(name: u32) -> Self {
            Self::new(name)
        }
        fn into_name(self) -> u32 {
            self.into_raw()
        }
    }

    impl<M> Sealed for SendOnceRight<M> {
        const KIND: RightKind = RightKind::SendOnce;
        fn from_name(name: u32) -> Self {
            Self::new(name)
        }
        fn into_name(self) -> u32 {
            self.into_raw()
        }
    }

    impl<M> Sealed for ReceiveRight<M> {
        const KIND: RightKind = RightKind::Receive;
        fn from_name(name: u32) -> Self {
            Self::own(name)
        }
        fn into_name(self) -> u32 {
            self.into_raw()
        }
    }
}
