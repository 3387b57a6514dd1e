#include "net/buffer.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <new>

namespace sennit::net {
namespace {

// Blocks are powers of two from 4 KiB (a small head) to 256 KiB; larger ones are not kept.
constexpr size_t kMinBlockBits = 12, kMaxPooledBits = 18;
// Kept per thread for reuse: enough for a burst of connections, little enough to forget.
constexpr size_t kMaxPooledBytes = 512 * 1024;

// Free blocks of one thread, linked through their first bytes.
struct BlockPool {
  struct Free {
    Free* next;
  };
  Free* free[kMaxPooledBits - kMinBlockBits + 1] = {};
  size_t pooled_bytes = 0;

  ~BlockPool();
  char* take(size_t capacity);
  void give(char* block, size_t capacity);
};

// Buffers of other thread-local or static objects may outlive the pool.
thread_local bool pool_gone = false;
thread_local BlockPool pool;

size_t block_class(size_t capacity) {
  return std::countr_zero(capacity) - kMinBlockBits;
}
bool pooled_size(size_t capacity) {
  return capacity <= size_t{1} << kMaxPooledBits;
}

BlockPool::~BlockPool() {
  pool_gone = true;
  for (Free* list : free) {
    while (list) std::free(std::exchange(list, list->next));
  }
}

char* BlockPool::take(size_t capacity) {
  if (pooled_size(capacity) && !pool_gone) {
    Free*& list = free[block_class(capacity)];
    if (list) {
      pooled_bytes -= capacity;
      return reinterpret_cast<char*>(std::exchange(list, list->next));
    }
  }
  auto* block = static_cast<char*>(std::malloc(capacity));
  if (!block) throw std::bad_alloc();
  return block;
}

void BlockPool::give(char* block, size_t capacity) {
  if (pool_gone || !pooled_size(capacity) || pooled_bytes + capacity > kMaxPooledBytes) {
    std::free(block);
    return;
  }
  Free*& list = free[block_class(capacity)];
  list = new (block) Free{list};
  pooled_bytes += capacity;
}

size_t block_size_for(size_t bytes) {
  return std::bit_ceil(std::max(bytes, size_t{1} << kMinBlockBits));
}

}  // namespace

Buffer::~Buffer() {
  release();
}

Buffer::Buffer(Buffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      capacity_(std::exchange(other.capacity_, 0)),
      begin_(std::exchange(other.begin_, 0)),
      end_(std::exchange(other.end_, 0)) {}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  if (this == &other) return *this;
  release();
  data_ = std::exchange(other.data_, nullptr);
  capacity_ = std::exchange(other.capacity_, 0);
  begin_ = std::exchange(other.begin_, 0);
  end_ = std::exchange(other.end_, 0);
  return *this;
}

void Buffer::release() {
  if (data_) pool.give(data_, capacity_);
  data_ = nullptr;
  capacity_ = begin_ = end_ = 0;
}

void Buffer::append(std::string_view bytes) {
  if (bytes.empty()) return;
  std::memcpy(reserve(bytes.size()), bytes.data(), bytes.size());
  end_ += bytes.size();
}

char* Buffer::reserve(size_t bytes) {
  if (capacity_ - end_ >= bytes) return data_ + end_;
  const size_t length = size();
  // Shifting pays only where it moves less than it frees.
  if (length + bytes <= capacity_ && length <= capacity_ / 2) {
    std::memmove(data_, data_ + begin_, length);
  } else {
    const size_t capacity = block_size_for(length + bytes);
    char* block = pool.take(capacity);
    if (length) std::memcpy(block, data_ + begin_, length);
    if (data_) pool.give(data_, capacity_);
    data_ = block;
    capacity_ = capacity;
  }
  begin_ = 0;
  end_ = length;
  return data_ + end_;
}

void Buffer::drain(size_t bytes) {
  begin_ += bytes;
  if (begin_ == end_) release();
}

void Buffer::move_from(Buffer& other) {
  if (this == &other) return;
  if (empty()) {
    *this = std::move(other);
    return;
  }
  append(other.view());
  other.release();
}

}  // namespace sennit::net
