#include "base/frame_rules.hpp"

#include <string_view>

extern "C" {

// Of the compiler's runtime, which also finds the tables that a program registers while it runs. Has no public header.
struct dwarf_eh_bases {
    void* text;
    void* data;
    void* function;
};
const void* _Unwind_Find_FDE(const void* address, dwarf_eh_bases* bases);
}

namespace coir::detail {

namespace {

using kind = frame_rules::kind;

/// The part of the information that several functions share ("common information entry").
struct common_entry {
    bool is_known = false;
    std::uint64_t code_unit = 1;
    std::int64_t data_unit = 1;
    unsigned return_address = 0;
    bool has_augmentation = false;
    unsigned char pointer_encoding = 0;
    bool is_signal_frame = false;
    const std::byte* begin = nullptr;  // of the instructions
    const std::byte* end = nullptr;
};

/// The size of a pointer in this encoding (DW_EH_PE_*); 0 if it is not of a fixed size.
std::size_t bytes_of_pointer(unsigned char encoding) noexcept {
    switch (encoding & 0x0fU) {
    case 0x00: return sizeof(void*);
    case 0x02:
    case 0x0a: return 2;
    case 0x03:
    case 0x0b: return 4;
    case 0x04:
    case 0x0c: return 8;
    default: return 0;
    }
}

common_entry read_common(const std::byte* entry) noexcept {
    common_entry read;
    dwarf_reader in{entry};
    const auto bytes = in.take<std::uint32_t>();
    read.end = in.at() + bytes;
    in.take<std::uint32_t>();  // the identifier
    const unsigned version = in.byte();
    const std::string_view augmentation = reinterpret_cast<const char*>(in.at());
    in.bytes(augmentation.size() + 1);
    read.code_unit = in.uleb();
    read.data_unit = in.sleb();
    read.return_address = version == 1 ? in.byte() : static_cast<unsigned>(in.uleb());
    read.has_augmentation = augmentation.starts_with('z');
    if (!augmentation.empty() && !read.has_augmentation) return read;
    if (read.has_augmentation) {
        const std::uint64_t augmentation_bytes = in.uleb();
        read.begin = in.at() + augmentation_bytes;
        for (const char each : augmentation.substr(1)) {
            switch (each) {
            case 'R': read.pointer_encoding = in.byte(); break;
            case 'L': in.byte(); break;
            case 'P': in.bytes(bytes_of_pointer(in.byte())); break;
            case 'S': read.is_signal_frame = true; break;
            default: break;
            }
        }
    } else {
        read.begin = in.at();
    }
    read.is_known = read.return_address < frame_rules::registers_max && bytes_of_pointer(read.pointer_encoding) != 0;
    return read;
}

/// Executes call frame instructions, which build the table row by row, up to the row of one address.
class table {
public:
    table(const common_entry& common, std::uintptr_t function, std::uintptr_t address, frame_rules& into) noexcept
        : common_{common}, row_at_{function}, address_{address}, row_{into} {}

    /// Returns false if an instruction is not known.
    bool execute(const std::byte* begin, const std::byte* end) noexcept {
        dwarf_reader in{begin};
        while (in.at() < end && row_at_ <= address_) {
            if (!execute_one(in)) return false;
        }
        return true;
    }

    /// What DW_CFA_restore goes back to.
    void set_initial() noexcept { initial_ = row_; }

private:
    bool execute_one(dwarf_reader& in) noexcept {
        const unsigned code = in.byte();
        const unsigned operand = code & 0x3fU;
        switch (code >> 6U) {
        case 1: advance(operand); return true;
        case 2: set(operand, kind::at_offset, scaled(in.uleb())); return true;
        case 3: restore(operand); return true;
        default: return execute_extended(operand, in);
        }
    }

    bool execute_extended(unsigned code, dwarf_reader& in) noexcept {
        switch (code) {
        case 0x00: break;                                     // DW_CFA_nop
        case 0x02: advance(in.byte()); break;                 // DW_CFA_advance_loc1
        case 0x03: advance(in.take<std::uint16_t>()); break;  // DW_CFA_advance_loc2
        case 0x04: advance(in.take<std::uint32_t>()); break;  // DW_CFA_advance_loc4
        case 0x06: restore(in.uleb()); break;                 // DW_CFA_restore_extended
        case 0x05: set(in, kind::at_offset, false); break;    // DW_CFA_offset_extended
        case 0x07: set(in.uleb(), kind::undefined); break;
        case 0x08: set(in.uleb(), kind::same); break;
        case 0x09: {  // DW_CFA_register
            const std::uint64_t number = in.uleb();
            set(number, kind::in_register, static_cast<long>(in.uleb()));
            break;
        }
        case 0x0a: return remember();  // DW_CFA_remember_state
        case 0x0b: return recall();    // DW_CFA_restore_state
        case 0x0c:                     // DW_CFA_def_cfa
            row_.cfa_register = static_cast<unsigned>(in.uleb());
            set_cfa_offset(static_cast<long>(in.uleb()));
            break;
        case 0x0d: row_.cfa_register = static_cast<unsigned>(in.uleb()); break;  // DW_CFA_def_cfa_register
        case 0x0e: set_cfa_offset(static_cast<long>(in.uleb())); break;          // DW_CFA_def_cfa_offset
        case 0x0f: row_.cfa_expression = in.bytes(in.uleb()); break;             // DW_CFA_def_cfa_expression
        case 0x10: set_expression(in, kind::at_expression); break;               // DW_CFA_expression
        case 0x11: set(in, kind::at_offset, true); break;                        // DW_CFA_offset_extended_sf
        case 0x12:                                                               // DW_CFA_def_cfa_sf
            row_.cfa_register = static_cast<unsigned>(in.uleb());
            set_cfa_offset(in.sleb() * common_.data_unit);
            break;
        case 0x13: set_cfa_offset(in.sleb() * common_.data_unit); break;  // DW_CFA_def_cfa_offset_sf
        case 0x14: set(in, kind::offset, false); break;                   // DW_CFA_val_offset
        case 0x15: set(in, kind::offset, true); break;                    // DW_CFA_val_offset_sf
        case 0x16: set_expression(in, kind::expression); break;           // DW_CFA_val_expression
        case 0x2e: in.uleb(); break;                                      // DW_CFA_GNU_args_size
        default: return false;
        }
        return row_.cfa_register < frame_rules::registers_max;
    }

    void advance(std::uint64_t units) noexcept { row_at_ += units * common_.code_unit; }

    [[nodiscard]] long scaled(std::uint64_t units) const noexcept {
        return static_cast<long>(units) * common_.data_unit;
    }

    void set(std::uint64_t number, kind how, long value = 0) noexcept {
        if (number < row_.registers.size()) row_.registers[number] = {how, value, {}};
    }
    void set(dwarf_reader& in, kind how, bool is_signed) noexcept {
        const std::uint64_t number = in.uleb();
        set(number, how, is_signed ? in.sleb() * common_.data_unit : scaled(in.uleb()));
    }
    void set_expression(dwarf_reader& in, kind how) noexcept {
        const std::uint64_t number = in.uleb();
        const std::span<const std::byte> expression = in.bytes(in.uleb());
        if (number < row_.registers.size()) row_.registers[number] = {how, 0, expression};
    }
    void set_cfa_offset(long offset) noexcept {
        row_.cfa_offset = offset;
        row_.cfa_expression = {};
    }
    void restore(std::uint64_t number) noexcept {
        if (number < row_.registers.size()) row_.registers[number] = initial_.registers[number];
    }

    bool remember() noexcept {
        if (remembered_count_ == remembered_.size()) return false;
        remembered_[remembered_count_++] = row_;
        return true;
    }
    bool recall() noexcept {
        if (remembered_count_ == 0) return false;
        row_ = remembered_[--remembered_count_];
        return true;
    }

    const common_entry& common_;
    std::uintptr_t row_at_;
    const std::uintptr_t address_;
    frame_rules& row_;
    frame_rules initial_;
    std::array<frame_rules, 4> remembered_;
    std::size_t remembered_count_ = 0;
};

}  // namespace

std::uint64_t dwarf_reader::uleb() noexcept {
    std::uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
        const std::uint64_t next = byte();
        if (shift < 64) value |= (next & 0x7fU) << shift;
        if ((next & 0x80U) == 0) return value;
    }
}

std::int64_t dwarf_reader::sleb() noexcept {
    std::uint64_t value = 0;
    unsigned shift = 0;
    std::uint64_t next = 0;
    do {
        next = byte();
        if (shift < 64) value |= (next & 0x7fU) << shift;
        shift += 7;
    } while ((next & 0x80U) != 0);
    if (shift < 64 && (next & 0x40U) != 0) value |= ~std::uint64_t{0} << shift;
    return static_cast<std::int64_t>(value);
}

std::optional<frame_rules> frame_rules_at(std::uintptr_t address) noexcept {
    dwarf_eh_bases bases{};
    const auto* const entry =
        static_cast<const std::byte*>(::_Unwind_Find_FDE(reinterpret_cast<const void*>(address), &bases));
    if (entry == nullptr) return {};
    dwarf_reader in{entry};
    const auto bytes = in.take<std::uint32_t>();
    const std::byte* const end = in.at() + bytes;
    const std::byte* const origin = in.at();
    const common_entry common = read_common(origin - in.take<std::int32_t>());
    if (!common.is_known) return {};
    in.bytes(2 * bytes_of_pointer(common.pointer_encoding));  // the range of the function
    if (common.has_augmentation) in.bytes(in.uleb());

    frame_rules found;
    found.function = bases.function;
    found.return_address = common.return_address;
    found.is_signal_frame = common.is_signal_frame;
    table rows{common, reinterpret_cast<std::uintptr_t>(bases.function), address, found};
    // The instructions of the common part hold at every address.
    if (!rows.execute(common.begin, common.end)) return {};
    rows.set_initial();
    if (!rows.execute(in.at(), end)) return {};
    return found;
}

}  // namespace coir::detail
