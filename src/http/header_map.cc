#include "http/header_map.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>
#include <vector>

namespace sennit::http {
namespace {

constexpr size_t kFirstEntries = 16;  // a browser's request fits
constexpr size_t kFirstArena = 1024;
constexpr size_t kMaxKeptArena = 8192;  // larger ones are given back to the allocator
constexpr size_t kMaxKeptBlocks = 64;   // per thread

}  // namespace

namespace {

// A growing array of bytes that lets its own bytes be appended: the old storage is freed only
// after the copy.
class Arena {
 public:
  Arena() : bytes_(new char[kFirstArena]), capacity_(kFirstArena) {}

  uint32_t append(std::string_view text) {
    const size_t offset = size_;
    if (capacity_ - size_ < text.size()) {
      grow(text);
    } else if (!text.empty()) {
      std::memcpy(bytes_.get() + size_, text.data(), text.size());
    }
    size_ += text.size();
    return static_cast<uint32_t>(offset);
  }
  char* at(uint32_t offset) { return bytes_.get() + offset; }
  const char* at(uint32_t offset) const { return bytes_.get() + offset; }
  size_t size() const { return size_; }
  size_t capacity() const { return capacity_; }
  void clear() { size_ = 0; }

 private:
  void grow(std::string_view text) {
    const size_t capacity = std::max(capacity_ * 2, size_ + text.size());
    std::unique_ptr<char[]> bytes(new char[capacity]);
    std::memcpy(bytes.get(), bytes_.get(), size_);
    std::memcpy(bytes.get() + size_, text.data(), text.size());
    bytes_ = std::move(bytes);
    capacity_ = capacity;
  }

  std::unique_ptr<char[]> bytes_;
  size_t capacity_;
  size_t size_ = 0;
};

}  // namespace

struct HeaderMap::Block {
  Block() { entries.reserve(kFirstEntries); }

  bool present(HeaderId id) const {
    const auto bit = static_cast<unsigned>(id);
    return (ids[bit / 64] >> (bit % 64) & 1) != 0;
  }
  void mark(HeaderId id) {
    const auto bit = static_cast<unsigned>(id);
    ids[bit / 64] |= uint64_t{1} << (bit % 64);
  }
  std::string_view name(const Entry& entry) const {
    return entry.id != HeaderId::None
               ? header_name(entry.id)
               : std::string_view(arena.at(entry.name_offset), entry.name_length);
  }
  std::string_view value(const Entry& entry) const {
    return {arena.at(entry.value_offset), entry.value_length};
  }

  std::vector<Entry> entries;
  Arena arena;
  std::array<uint64_t, 2> ids{};
  Block* next_free = nullptr;
};
static_assert(static_cast<size_t>(HeaderId::Count) <= 128, "Block::ids has a bit for each");

namespace {

// Trivial, so that maps which outlive the thread's destructors may still look at it.
struct FreeBlocks {
  void* head;
  size_t count;
  bool closed;
};
thread_local constinit FreeBlocks free_blocks{};

}  // namespace

HeaderMap::HeaderMap() = default;
HeaderMap::~HeaderMap() {
  release(block_);
}
HeaderMap::HeaderMap(HeaderMap&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
HeaderMap& HeaderMap::operator=(HeaderMap&& other) noexcept {
  if (this != &other) {
    release(block_);
    block_ = std::exchange(other.block_, nullptr);
  }
  return *this;
}

HeaderMap::Block& HeaderMap::block() {
  if (block_ != nullptr) return *block_;
  if (free_blocks.head != nullptr) {
    block_ = static_cast<Block*>(free_blocks.head);
    free_blocks.head = std::exchange(block_->next_free, nullptr);
    --free_blocks.count;
  } else {
    block_ = new Block;
  }
  return *block_;
}

void HeaderMap::release(Block* block) {
  if (block == nullptr) return;
  // Frees the list when its thread ends.
  struct Drain {
    ~Drain() {
      free_blocks.closed = true;
      for (auto* next = static_cast<Block*>(free_blocks.head); next != nullptr;) {
        delete std::exchange(next, next->next_free);
      }
      free_blocks.head = nullptr;
    }
  };
  if (!free_blocks.closed) {
    static thread_local Drain drain;
    (void)drain;
  }
  if (free_blocks.closed || free_blocks.count >= kMaxKeptBlocks ||
      block->arena.capacity() > kMaxKeptArena) {
    delete block;
    return;
  }
  block->entries.clear();
  block->arena.clear();
  block->ids = {};
  block->next_free = static_cast<Block*>(free_blocks.head);
  free_blocks.head = block;
  ++free_blocks.count;
}

HeaderMap HeaderMap::clone() const {
  HeaderMap copy;
  if (block_ == nullptr) return copy;
  Block& to = copy.block();
  to.entries = block_->entries;
  to.arena.append({block_->arena.at(0), block_->arena.size()});
  to.ids = block_->ids;
  return copy;
}

void HeaderMap::add(HeaderId id, std::string_view value) {
  add(id, {}, value);
}
void HeaderMap::add(std::string_view name, std::string_view value) {
  add(header_id(name), name, value);
}
void HeaderMap::add(HeaderId id, std::string_view name, std::string_view value) {
  Block& to = block();
  Entry entry{id, 0, 0, 0, 0, kNoRaw};
  entry.value_length = static_cast<uint32_t>(value.size());
  if (id == HeaderId::None) {
    entry.name_length = static_cast<uint32_t>(name.size());
    // Both in one go: an append may move what the other view points at.
    if (to.arena.capacity() - to.arena.size() >= name.size() + value.size()) {
      entry.name_offset = to.arena.append(name);
      entry.value_offset = to.arena.append(value);
    } else {
      std::string both;
      both.reserve(name.size() + value.size());
      both.append(name).append(value);
      entry.name_offset = to.arena.append(both);
      entry.value_offset = entry.name_offset + entry.name_length;
    }
  } else {
    entry.value_offset = to.arena.append(value);
    to.mark(id);
  }
  to.entries.push_back(entry);
}

void HeaderMap::add_preserved(HeaderId id, std::string_view name, std::string_view raw_name,
                              std::string_view value) {
  add(id, name, value);
  Entry& added = block_->entries.back();
  added.name_length = static_cast<uint32_t>(raw_name.size());
  added.raw_offset = block_->arena.append(raw_name);
}

void HeaderMap::replace_value(Entry& entry, std::string_view value) {
  if (value.size() <= entry.value_length) {
    std::memmove(block_->arena.at(entry.value_offset), value.data(), value.size());
  } else {
    entry.value_offset = block_->arena.append(value);
  }
  entry.value_length = static_cast<uint32_t>(value.size());
}

const HeaderMap::Entry* HeaderMap::find(HeaderId id) const {
  if (block_ == nullptr || !block_->present(id)) return nullptr;
  for (const Entry& entry : block_->entries) {
    if (entry.id == id) return &entry;
  }
  return nullptr;
}

const HeaderMap::Entry* HeaderMap::find(std::string_view name) const {
  const HeaderId id = header_id(name);
  if (id != HeaderId::None) return find(id);
  if (block_ == nullptr) return nullptr;
  for (const Entry& entry : block_->entries) {
    if (entry.id == HeaderId::None && block_->name(entry) == name) return &entry;
  }
  return nullptr;
}

void HeaderMap::set(HeaderId id, std::string_view value) {
  const Entry* first = find(id);
  if (first == nullptr) return add(id, value);
  replace_value(const_cast<Entry&>(*first), value);
  for (size_t index = block_->entries.size(); index-- > 0;) {
    const Entry& other = block_->entries[index];
    if (&other == first) break;
    if (other.id == id) erase_at(index);
  }
}

void HeaderMap::set(std::string_view name, std::string_view value) {
  const HeaderId id = header_id(name);
  if (id != HeaderId::None) return set(id, value);
  const Entry* first = find(name);
  if (first == nullptr) return add(id, name, value);
  for (size_t index = block_->entries.size(); index-- > 0;) {
    const Entry& other = block_->entries[index];
    if (&other == first) break;
    if (other.id == HeaderId::None && block_->name(other) == name) erase_at(index);
  }
  replace_value(const_cast<Entry&>(*first), value);
}

void HeaderMap::append_to(HeaderId id, std::string_view value) {
  const Entry* first = find(id);
  if (first == nullptr) return add(id, value);
  Entry& entry = const_cast<Entry&>(*first);
  std::string joined;
  joined.reserve(entry.value_length + 2 + value.size());
  joined.append(block_->value(entry)).append(", ").append(value);
  replace_value(entry, joined);
}

size_t HeaderMap::remove(HeaderId id) {
  if (find(id) == nullptr) return 0;
  return remove_if([id](const Field& field) { return field.id == id; });
}

size_t HeaderMap::remove(std::string_view name) {
  const HeaderId id = header_id(name);
  if (id != HeaderId::None) return remove(id);
  if (find(name) == nullptr) return 0;
  const std::string wanted(name);  // it may point into an entry that goes
  return remove_if([&](const Field& field) { return field.name == wanted; });
}

std::optional<std::string_view> HeaderMap::get(HeaderId id) const {
  const Entry* entry = find(id);
  if (entry == nullptr) return std::nullopt;
  return block_->value(*entry);
}

std::optional<std::string_view> HeaderMap::get(std::string_view name) const {
  const Entry* entry = find(name);
  if (entry == nullptr) return std::nullopt;
  return block_->value(*entry);
}

std::optional<std::string_view> HeaderMap::get_all(std::string_view name,
                                                   std::string& storage) const {
  std::optional<std::string_view> found;
  bool several = false;
  for (const Field field : *this) {
    if (field.name != name) continue;
    if (!found) {
      found = field.value;
      continue;
    }
    if (!several) storage.assign(*found);
    several = true;
    storage.append(",").append(field.value);
  }
  if (several) return storage;
  return found;
}

int HeaderMap::status() const {
  const std::string_view text = get(HeaderId::Status).value_or("");
  if (text.size() != 3) return 0;
  int status = 0;
  for (const char digit : text) {
    if (digit < '0' || digit > '9') return 0;
    status = status * 10 + (digit - '0');
  }
  return status;
}

size_t HeaderMap::size() const {
  return block_ == nullptr ? 0 : block_->entries.size();
}
const HeaderMap::Entry& HeaderMap::entry(size_t index) const {
  return block_->entries[index];
}

HeaderMap::Field HeaderMap::operator[](size_t index) const {
  const Entry& found = entry(index);
  return {found.id, block_->name(found), block_->value(found)};
}

std::string_view HeaderMap::raw_name(size_t index) const {
  const Entry& found = entry(index);
  if (found.raw_offset == kNoRaw) return block_->name(found);
  return {block_->arena.at(found.raw_offset), found.name_length};
}

size_t HeaderMap::byte_size() const {
  size_t bytes = 0;
  for (const Field field : *this) bytes += field.name.size() + field.value.size();
  return bytes;
}

void HeaderMap::clear() {
  release(block_);
  block_ = nullptr;
}

void HeaderMap::erase_at(size_t index) {
  block_->entries.erase(block_->entries.begin() + static_cast<ptrdiff_t>(index));
}

void HeaderMap::recompute_present() {
  block_->ids = {};
  for (const Entry& entry : block_->entries) {
    if (entry.id != HeaderId::None) block_->mark(entry.id);
  }
}

}  // namespace sennit::http
