use crate::limits::CHUNK;
#[derive(Debug)]
pub(crate) struct Chunk(Box<[u8; CHUNK]>);
impl Chunk {
    pub(crate) fn bytes(&self) -> &[u8; CHUNK] { &self.0 }
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8; CHUNK] { &mut self.0 }
}
#[derive(Debug)]
pub(crate) struct Umem(Vec<Chunk>);
impl Umem {
    pub(crate) fn new(chunks: usize) -> std::io::Result<Self> { Ok(Self((0..chunks).map(|_| Chunk(Box::new([0; CHUNK]))).collect())) }
    pub(crate) fn take(&mut self) -> Option<Chunk> { self.0.pop() }
    pub(crate) fn give(&mut self, chunk: Chunk) { self.0.push(chunk); }
}
