#include "core/base/options.h"

#include <algorithm>

#include "core/base/number.h"

namespace evenkeel {

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts{""};
  for (const char c : text)
    if (c == separator)
      parts.emplace_back();
    else
      parts.back() += c;
  return parts;
}

SpecArguments::SpecArguments(std::string kind, const std::string& text) : kind_(std::move(kind)), all_(text) {
  const std::vector<std::string> parts = split(text, ':');
  name = parts[0];
  for (size_t i = 1; i < parts.size(); ++i) {
    const std::string& part = parts[i];
    const size_t equals = part.find('=');
    check(!part.empty() && equals != part.size() - 1, "{}: '{}' has an empty argument; leave it out", kind_, written());
    if (equals == std::string::npos)
      positional_.push_back(part);
    else
      check(named_.emplace(part.substr(0, equals), part.substr(equals + 1)).second, "{}: {} is given twice", kind_,
            subject(part.substr(0, equals)));
  }
  used_.resize(positional_.size());
}

std::string SpecArguments::text(size_t position, const std::string& key) {
  if (const auto found = named_.find(key); found != named_.end()) {
    const std::string value = found->second;
    named_.erase(found);
    check(position >= positional_.size(), "{}: {} is given twice", kind_, subject(key));
    return value;
  }
  if (position >= positional_.size()) return "";
  used_[position] = true;
  return positional_[position];
}

template <class Number>
Number SpecArguments::parsed(const std::string& key, const std::string& text, const Range& range,
                             const char* meaning) const {
  Number value{};
  check(parse_number(text, value) && range.holds(static_cast<double>(value)), "{}: {}{} must be {}, got '{}'", kind_,
        subject(key), *meaning ? fmt::format(" ({})", meaning) : "", range.words(), text);
  return value;
}
template double SpecArguments::parsed(const std::string&, const std::string&, const Range&, const char*) const;
template int64_t SpecArguments::parsed(const std::string&, const std::string&, const Range&, const char*) const;

int64_t SpecArguments::integer(size_t position, const std::string& key, int64_t low, int64_t high, int64_t otherwise) {
  const std::string value = text(position, key);
  return value.empty() ? otherwise : parsed<int64_t>(key, value, {static_cast<double>(low), static_cast<double>(high)});
}

double SpecArguments::number(size_t position, const std::string& key, double low, double high, double otherwise) {
  const std::string value = text(position, key);
  return value.empty() ? otherwise : parsed<double>(key, value, {low, high});
}

std::string SpecArguments::word(size_t position, const std::string& key, const std::vector<std::string>& allowed,
                                const std::string& otherwise) {
  const std::string value = text(position, key);
  if (value.empty()) return otherwise;
  std::string list;
  for (const std::string& a : allowed) list.append(list.empty() ? "" : ", ").append(a);
  check(std::find(allowed.begin(), allowed.end(), value) != allowed.end(), "{}: {} must be one of {}, got '{}'", kind_,
        subject(key), list, value);
  return value;
}

bool SpecArguments::flag(const std::string& key, bool otherwise) {
  return word(SIZE_MAX, key, {"off", "on"}, otherwise ? "on" : "off") == "on";
}

void SpecArguments::check_used(const std::string& usage) const {
  const bool all = std::all_of(used_.begin(), used_.end(), [](bool u) { return u; });
  check(all && named_.empty(), "{}: '{}' has an argument it does not know; it is written {}", kind_, written(), usage);
}

std::string SpecArguments::written() const { return all_.substr(all_.starts_with(':') ? 1 : 0); }

std::string SpecArguments::subject(const std::string& key) const { return name.empty() ? key : name + "'s " + key; }

}  // namespace evenkeel
