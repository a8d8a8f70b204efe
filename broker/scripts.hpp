#pragma once
// The scripts by which operators change what lies in Redis. Each compares first and changes only what is
// byte for byte what the operator was shown; what is removed goes to the trash and the audit in the same
// step.

#include <string_view>

namespace broker::scripts {

// Removes one element of a list, found around a position counted from the right; optionally pushes another in
// its stead. KEYS: list, target list, trash, trash index, audit.
// ARGV: element, position, how far from either end it may lie, tombstone, pushed element ('' none),
// 'head' or 'tail', trash id ('' none), trash text, its deadline, audit text.
// {1, position} done; {0} not there; {2, position} there, but too deep.
extern const std::string_view take;

// Marks one element for removal or a move at its delivery, as it lies too deep to be taken out. KEYS: list,
// trash, trash index, rules, version of the rules, audit. ARGV: element, position, trash id ('' none), trash
// text, deadline, field of the rule, text of the rule, audit text. {1, position} done, {0} not there.
extern const std::string_view mark;

// Removes or restores one message of `unacked`. KEYS: unacked, index, target list, trash, trash index, audit.
// ARGV: tag, expected value, pushed element ('' none), 'head' or 'tail', trash id, trash text, deadline,
// audit. 1 done, 0 the value is another by now.
extern const std::string_view settle;

// Empties a queue. KEYS: its lists, the trash's lists, then trash, trash index, audit.
// ARGV: number of lists, expected count, tolerance, 'keep' or 'drop', trash id, trash text, deadline, audit.
// {1, count} done, {0, count} the count is another.
extern const std::string_view purge;

// Puts a purged list back behind what has come since, a piece at a time. KEYS: trash list, list.
// ARGV: elements to move at most. How many are left.
extern const std::string_view unpurge;

// Takes an element out of the trash and pushes it. KEYS: trash, trash index, target list, audit.
// ARGV: trash id, expected text, element, 'head' or 'tail', audit. 1 done, 0 it is not there any more.
extern const std::string_view untrash;

// Moves up to so many elements from one list to another: from its right end to the other's left or right.
// KEYS: list, target list, audit. ARGV: count, 'head' or 'tail', audit. How many were moved.
extern const std::string_view drain;

}  // namespace broker::scripts
