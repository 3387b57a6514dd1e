// The types that configuration may carry inside an Any. A static library's member that nothing
// refers to is not linked, and its messages would be "unknown type URL": this refers to them all.
#pragma once

#include <cstddef>

namespace sennit::proxy {

// How many files of messages are linked. Calling it is what links them; it does no other work.
size_t link_known_types();

}  // namespace sennit::proxy
