#include "apps/lab/mathml.h"

#include <cctype>
#include <vector>

#include "apps/lab/symbols.h"

namespace evenkeel::lab {
namespace {

std::string element(const char* name, const std::string& inside) {
  return std::string("<") + name + ">" + inside + "</" + name + ">";
}
std::string row(const std::vector<std::string>& parts) {
  std::string inside;
  for (const std::string& p : parts) inside += p;
  return parts.size() == 1 ? inside : element("mrow", inside);
}
std::string operation(const std::string& sign) {
  return element("mo", sign == "<" ? "&lt;" : sign == ">" ? "&gt;" : sign == "-" ? "−" : sign);
}

// A piece of a formula, and its form in a fraction, without parentheses.
struct Piece {
  std::string whole, bare;
};

class Formula {
 public:
  explicit Formula(const std::string& text) : text_(text) {}
  std::string operator()() { return row(pieces('\0')); }

 private:
  bool at(char c) const { return next_ < text_.size() && text_[next_] == c; }
  void spaces() {
    while (at(' ')) ++next_;
  }
  template <class Kind>
  std::string run(Kind kind) {
    const size_t begin = next_;
    while (next_ < text_.size() && kind(static_cast<unsigned char>(text_[next_]))) ++next_;
    return text_.substr(begin, next_ - begin);
  }

  // Whether the bar that begins here has another one, outside of parentheses.
  bool closes() const {
    int depth = 0;
    for (size_t i = next_ + 1; i < text_.size() && depth >= 0; ++i) {
      if (text_[i] == '|' && depth == 0) return true;
      depth += (text_[i] == '(') - (text_[i] == ')');
    }
    return false;
  }

  // Up to and including a closing sign.
  std::vector<std::string> pieces(char end) {
    std::vector<std::string> all;
    for (spaces(); next_ < text_.size(); spaces()) {
      if (end && at(end)) {
        ++next_;
        break;
      }
      Piece piece = applied();
      spaces();
      while (at('/')) {
        ++next_;
        spaces();
        if (next_ == text_.size()) break;
        const Piece below = applied();
        piece.whole = piece.bare = element("mfrac", piece.bare + below.bare);
        spaces();
      }
      const auto is = [](const std::string& part, const char* tag) { return part.find(tag) != std::string::npos; };
      if (!all.empty() && (is(all.back(), "<mtext>") || is(piece.whole, "<mtext>")) &&
          !all.back().starts_with("<mo>") && !piece.whole.starts_with("<mo>"))
        all.push_back("<mspace width=\"0.2em\"/>");  // between words
      all.push_back(piece.whole);
    }
    return all;
  }

  // f(x), or any name directly followed by a parenthesis, is one piece.
  Piece applied() {
    Piece piece = scripted();
    while (at('(')) piece.whole = piece.bare = element("mrow", piece.whole + scripted().whole);
    return piece;
  }

  Piece scripted() {
    Piece base = atom();
    while (at('\'')) {
      ++next_;
      base.whole = base.bare = element("mrow", base.whole + "<mo lspace=\"0\" rspace=\"0\">′</mo>");
    }
    std::string below, above;
    while ((at('_') || at('^')) && next_ + 1 < text_.size()) {
      std::string& script = at('_') ? below : above;
      ++next_;
      script = atom().bare;
    }
    if (!below.empty() && !above.empty())
      base.whole = element("msubsup", base.whole + below + above);
    else if (!below.empty())
      base.whole = element("msub", base.whole + below);
    else if (!above.empty())
      base.whole = element("msup", base.whole + above);
    else
      return base;
    return {base.whole, base.whole};
  }

  Piece atom() {
    const auto c = static_cast<unsigned char>(text_[next_]);
    std::string made;
    if (std::isdigit(c) || c == '.') {
      made = element("mn", run([](unsigned char d) { return std::isdigit(d) || d == '.'; }));
      const size_t sign = at('e') ? next_ + 1 : text_.size(), first = text_.find_first_not_of("+-", sign);
      if (first <= sign + 1 && first < text_.size() && std::isdigit(static_cast<unsigned char>(text_[first]))) {
        next_ = first;
        while (at('0') && next_ + 1 < text_.size() && std::isdigit(static_cast<unsigned char>(text_[next_ + 1])))
          ++next_;
        const std::string exponent = run([](unsigned char d) { return std::isdigit(d) != 0; });
        made = element("mrow", made + operation("×") +
                                   element("msup", element("mn", "10") +
                                                       element("mn", (text_[sign] == '-' ? "−" : "") + exponent)));
      }
    } else if (std::isalpha(c)) {
      const std::string word = run([](unsigned char l) { return std::isalpha(l) != 0; });
      if (word == "sqrt" && at('(')) {
        ++next_;
        made = element("msqrt", row(pieces(')')));
      } else if (const std::string letter = symbols(word); word.size() == 1 || letter != word) {
        made = element("mi", letter);
      } else {
        made = element("mtext", word);
      }
    } else if (c >= 0x80) {  // a letter in UTF-8
      ++next_;
      made = element("mi", static_cast<char>(c) + run([](unsigned char b) { return (b & 0xC0) == 0x80; }));
    } else if (c == '|' && closes()) {
      ++next_;
      made = element("mrow", operation("|") + row(pieces('|')) + operation("|"));
    } else if (c == '(') {
      ++next_;
      const std::string inside = row(pieces(')'));
      const char* grows = inside.find("<mfrac>") == std::string::npos ? "<mo stretchy=\"false\">" : "<mo>";
      return {element("mrow", std::string(grows) + "(</mo>" + inside + grows + ")</mo>"), inside};
    } else {
      const std::string two = text_.substr(next_, 2);
      const bool pair = two == "+-" || two == "->" || two == "<-" || two == "<=" || two == ">=";
      const std::string sign = two == "+-"   ? "±"
                               : two == "->" ? "→"
                               : two == "<-" ? "←"
                               : two == "<=" ? "≤"
                               : two == ">=" ? "≥"
                                             : text_.substr(next_, 1);
      next_ += pair ? 2 : 1;
      made = operation(sign);
    }
    return {made, made};
  }

  const std::string& text_;
  size_t next_ = 0;
};

}  // namespace

std::string mathml(const std::string& formula) { return "<math>" + Formula(formula)() + "</math>"; }

}  // namespace evenkeel::lab
