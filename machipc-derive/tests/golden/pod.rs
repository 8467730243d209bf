//! Plain data.

#[derive(Debug, Clone, Copy, PartialEq)]
#[machipc::pod]
pub struct Sample {
    pub time: u64,
    pub value: f32,
    pub channel: Channel,
    pub flags: [u8; 3],
}

#[derive(Debug, Clone, Copy, PartialEq)]
#[machipc::pod]
#[repr(u8)]
pub enum Channel {
    Left = 1,
    Right,
}
