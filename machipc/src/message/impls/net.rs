//! Addresses: octets in the order in which they are written; a byte of 4 or 6 where either may come.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use super::owned_message;
use crate::message::{Decode, DecodeError, Decoder, Encode, EncodeError, Encoder, Schema};

macro_rules! octets {
    ($($type:ty = $name:literal, $len:literal;)*) => { $(
        impl Encode for $type {
            const MIN_SIZE: usize = $len;

            fn schema(schema: &mut Schema) {
                schema.push($name);
            }

            #[inline]
            fn encode<'m>(&'m self, out: &mut Encoder<'m>) -> Result<(), EncodeError> {
                out.bytes(&self.octets());
                Ok(())
            }
        }

        impl<'de> Decode<'de> for $type {
            #[inline]
            fn decode(input: &mut Decoder<'de>) -> Result<Self, DecodeError> {
                input.pod::<[u8; $len]>().map(Self::from)
            }
        }
    )* };
}

octets! {
    Ipv4Addr = "ipv4", 4;
    Ipv6Addr = "ipv6", 16;
}

impl Encode for SocketAddrV4 {
    const MIN_SIZE: usize = 6;

    fn schema(schema: &mut Schema) {
        schema.push("socketv4");
    }

    fn encode<'m>(&'m self, out: &mut Encoder<'m>) -> Result<(), EncodeError> {
        self.ip().encode(out)?;
        out.pod(&self.port());
        Ok(())
    }
}

impl<'de> Decode<'de> for SocketAddrV4 {
    fn decode(input: &mut Decoder<'de>) -> Result<Self, DecodeError> {
        Ok(Self::new(Ipv4Addr::decode(input)?, input.pod()?))
    }
}

impl Encode for SocketAddrV6 {
    const MIN_SIZE: usize = 26;

    fn schema(schema: &mut Schema) {
        schema.push("socketv6");
    }

    fn encode<'m>(&'m self, out: &mut Encoder<'m>) -> Result<(), EncodeError> {
        self.ip().encode(out)?;
        out.pod(&self.port());
        out.pod(&self.flowinfo());
        out.pod(&self.scope_id());
        Ok(())
    }
}

impl<'de> Decode<'de> for SocketAddrV6 {
    fn decode(input: &mut Decoder<'de>) -> Result<Self, DecodeError> {
        Ok(Self::new(Ipv6Addr::decode(input)?, input.pod()?, input.pod()?, input.pod()?))
    }
}

macro_rules! either {
    ($($type:ident = $name:literal, $v4:ty, $v6:ty;)*) => { $(
        impl Encode for $type {
            const MIN_SIZE: usize = 1 + <$v4>::MIN_SIZE;

            fn schema(schema: &mut Schema) {
                schema.push($name);
            }

            fn encode<'m>(&'m self, out: &mut Encoder<'m>) -> Result<(), EncodeError> {
                match self {
                    Self::V4(address) => {
                        out.pod(&4u8);
                        address.encode(out)
                    }
                    Self::V6(address) => {
                        out.pod(&6u8);
                        address.encode(out)
                    }
                }
            }
        }

        impl<'de> Decode<'de> for $type {
            fn decode(input: &mut Decoder<'de>) -> Result<Self, DecodeError> {
                match input.pod::<u8>()? {
                    4 => <$v4>::decode(input).map(Self::V4),
                    6 => <$v6>::decode(input).map(Self::V6),
                    other => Err(DecodeError::new(format!("an address of version {other}, not 4 or 6"))),
                }
            }
        }
    )* };
}

either! {
    IpAddr = "ip", Ipv4Addr, Ipv6Addr;
    SocketAddr = "socket", SocketAddrV4, SocketAddrV6;
}

owned_message!(Ipv4Addr, Ipv6Addr, IpAddr, SocketAddrV4, SocketAddrV6, SocketAddr);
