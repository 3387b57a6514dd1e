// A queue of bytes kept in one piece, so that parsers see contiguous memory. Appends go to the
// back, `drain` takes from the front. Storage is given back when the buffer empties, so an idle
// connection holds none. Not shared between threads.
#pragma once

#include <cstddef>
#include <string_view>
#include <utility>

namespace sennit::net {

class Buffer {
 public:
  Buffer() = default;
  ~Buffer();
  Buffer(Buffer&& other) noexcept;
  Buffer& operator=(Buffer&& other) noexcept;

  size_t size() const { return end_ - begin_; }
  bool empty() const { return begin_ == end_; }
  // Valid until the next non-const call.
  std::string_view view() const { return {data_ + begin_, size()}; }

  void append(std::string_view bytes);
  void append(char byte) { append(std::string_view(&byte, 1)); }

  // Room for at least `bytes` at the back; write there, then `commit` what was written.
  char* reserve(size_t bytes);
  size_t capacity_left() const { return capacity_ - end_; }
  void commit(size_t bytes) { end_ += bytes; }

  // Takes `bytes` (at most size()) from the front.
  void drain(size_t bytes);
  void clear() { drain(size()); }

  // Appends all of `other` and empties it; takes its storage over when this one is empty.
  void move_from(Buffer& other);

 private:
  void release();
  char* data_ = nullptr;
  size_t capacity_ = 0;
  size_t begin_ = 0;
  size_t end_ = 0;
};

}  // namespace sennit::net
