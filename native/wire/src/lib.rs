#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Entry {
    #[prost(uint64, tag = "2")]
    pub time_unix_ns: u64,
    #[prost(message, repeated, tag = "3")]
    pub items: Vec<Item>,
}
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Item {
    #[prost(uint64, tag = "1")]
    pub origin: u64,
    #[prost(uint64, tag = "2")]
    pub ticket: u64,
    #[prost(bytes = "bytes", tag = "3")]
    pub command: ::prost::bytes::Bytes,
}
