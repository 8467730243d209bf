//! The table: each rule once, with number, mark and check.

use super::*;

/// Calls a macro with the whole table: `group { number mark name, … } …`.
macro_rules! with_rules {
    ($callback:ident) => {
        $callback! {
            names {
                1 Core r_001_allocate_receive_right,
                2 Core r_002_allocate_port_set,
                3 Ext r_003_allocate_dead_name,
                4 Core r_004_allocate_other_right_fails,
                5 Core r_005_allocated_names_are_distinct,
                6 Ext r_006_freed_name_is_not_reused_at_once,
                7 Core r_007_construct_with_send_right_and_limit,
                8 Core r_008_construct_checks_queue_limit,
                9 Ext r_009_construct_refuses_two_kinds,
                10 Core r_010_type_of_no_name,
                11 Core r_011_get_refs_of_lacking_right,
                12 Ext r_012_get_refs_of_null_and_dead,
            }
            insert {
                13 Core r_013_insert_make_send,
                14 Core r_014_insert_copy_send,
                15 Core r_015_insert_lacking_right,
                16 Core r_016_insert_of_other_names,
                17 Ext r_017_insert_under_another_name,
                18 Ext r_018_insert_make_send_once_in_place,
                19 Core r_019_extract_make_send_once,
                20 Core r_020_extract_copy_send,
            }
            refs {
                21 Core r_021_mod_refs_send_counts,
                22 Core r_022_mod_refs_send_to_zero_keeps_receive,
                23 Core r_023_mod_refs_send_below_zero,
                24 Core r_024_mod_refs_send_on_other_rights,
                25 Core r_025_mod_refs_send_delta_too_large,
                26 Ext r_026_send_refs_are_pinned_at_their_ceiling,
                27 Core r_027_mod_refs_receive_deltas,
                28 Core r_028_mod_refs_receive_frees_name,
                29 Core r_029_mod_refs_receive_leaves_dead_name,
                30 Core r_030_mod_refs_send_once,
                31 Core r_031_mod_refs_port_set,
                32 Ext r_032_mod_refs_dead_name,
                33 Ext r_033_mod_refs_unknown_right,
                34 Core r_034_unknown_name,
                35 Core r_035_null_and_dead_are_tolerated,
                36 Core r_036_deallocate_each_right,
                37 Core r_037_deallocate_leaves_receive_right,
                38 Core r_038_destroy_takes_all,
                39 Core r_039_destruct_with_send_refs,
                40 Core r_040_destruct_refusals,
                41 Ext r_041_destruct_checks_guard,
                42 Ext r_042_guarded_right_cannot_be_dropped,
                43 Ext r_043_guard_calls,
                44 Ext r_044_guard_needs_no_context,
            }
            dead_names {
                45 Core r_045_send_right_becomes_dead_name,
                46 Core r_046_send_once_right_becomes_dead_name,
                47 Core r_047_deallocate_works_across_the_death,
                48 Core r_048_dead_name_is_no_destination_and_not_reused,
            }
            no_senders {
                49 Core r_049_fires_at_once_without_senders,
                50 Core r_050_sync_waits_for_the_first_sender,
                51 Core r_051_counts_holders_and_messages,
                52 Core r_052_user_references_count_once,
                53 Core r_053_send_once_rights_do_not_count,
                54 Core r_054_fires_once,
                55 Core r_055_carries_the_make_send_count,
                56 Core r_056_death_of_a_client_fires,
                57 Core r_057_comes_after_the_last_message,
                58 Core r_058_request_again_or_cancel,
                59 Core r_059_death_of_the_port_with_request,
                60 Core r_060_needs_a_receive_right,
            }
            notifications {
                61 Core r_061_dead_name_adds_a_reference,
                62 Core r_062_dead_name_request_on_dead_name,
                63 Ext r_063_dead_name_cancel_without_request,
                64 Core r_064_dead_name_request_shows_in_type,
                65 Core r_065_dead_name_request_on_freed_name,
                66 Ext r_066_dead_name_request_on_used_send_once,
                67 Core r_067_dead_name_request_refusals,
                68 Ext r_068_send_possible,
                69 Ext r_069_send_possible_armed_by_a_send,
                70 Ext r_070_send_possible_on_dead_name,
                71 Ext r_071_send_possible_and_death,
                72 Core r_072_port_destroyed_refusals,
                73 Core r_073_port_destroyed_carries_the_port,
                74 Ext r_074_port_destroyed_to_a_dead_port,
                75 Ext r_075_port_destroyed_keeps_send_rights,
                76 Core r_076_send_once_answers_its_destruction,
                77 Core r_077_used_send_once_is_silent,
                78 Core r_078_notifications_ignore_the_limit,
                79 Core r_079_form_of_notifications,
                80 Core r_080_bad_requests,
                81 Ext r_081_failed_request_consumes_its_right,
            }
            send_validation {
                82 Core r_082_size_too_small_or_odd,
                83 Core r_083_complex_without_descriptors,
                84 Core r_084_descriptors_overrun_the_message,
                85 Core r_085_largest_size,
                86 Ext r_086_most_ports,
                87 Core r_087_header_size_is_ignored,
                88 Core r_088_unknown_header_bits_are_cleared,
                89 Core r_089_no_such_destination,
                90 Core r_090_destination_disposition,
                91 Core r_091_destination_lacks_the_right,
            }
            replies {
                92 Core r_092_reply_disposition,
                93 Core r_093_reply_lacks_the_right,
                94 Core r_094_reply_null,
                95 Ext r_095_reply_dead,
                96 Ext r_096_reply_of_a_dead_port,
                97 Ext r_097_destination_is_reply,
                98 Core r_098_own_port_as_destination_and_reply,
            }
            send_validation {
                99 Ext r_099_voucher_field_without_disposition,
                100 Core r_100_unknown_descriptor_types,
                101 Ext r_101_bad_guarded_descriptors,
                102 Core r_102_unknown_options_are_ignored,
            }
            body_copyin {
                103 Core r_103_body_right_unknown_or_wrong,
                104 Core r_104_what_a_bad_body_costs,
                105 Core r_105_bad_body_answers_the_reply_right,
                106 Core r_106_null_and_dead_pass_through,
                107 Core r_107_dead_names_in_a_body,
                108 Ext r_108_unknown_body_disposition,
                109 Core r_109_memory_with_a_hole,
                110 Ext r_110_earlier_memory_is_gone,
                111 Core r_111_receive_rights_that_stay,
                112 Ext r_112_plain_move_of_a_guarded_right,
                113 Core r_113_received_dispositions,
                114 Core r_114_move_send_takes_a_reference,
                115 Core r_115_move_receive_keeps_send_rights,
            }
            queueing {
                116 Core r_116_queue_limit_times_out,
                117 Core r_117_send_timeout_is_a_lower_bound,
                118 Core r_118_blocked_sender_completes,
                119 Core r_119_send_once_ignores_the_limit,
                120 Core r_120_set_limit_refusals,
                121 Core r_121_raising_the_limit_frees_senders,
                122 Ext r_122_limit_zero_always_blocks,
                123 Core r_123_alternating_sends_never_block,
                124 Core r_124_order_of_one_sender,
                125 Core r_125_timeout_without_its_option,
                126 Core r_126_blocked_sender_and_death,
                127 Core r_127_blocked_sender_and_move,
                128 Core r_128_dead_destination_costs_nothing,
                129 Core r_129_send_once_to_a_dead_port,
            }
            pseudo_receive {
                130 Core r_130_header_comes_back,
                131 Core r_131_made_reply_right_comes_back,
                132 Core r_132_body_rights_come_back,
                133 Core r_133_receive_right_comes_back,
                134 Core r_134_memory_comes_back,
                135 Core r_135_returned_message_can_be_sent_again,
                136 Core r_136_combined_call_receives_nothing,
                137 Ext r_137_timed_out_without_name_space,
            }
            receive {
                138 Core r_138_receive_on_no_receive_right,
                139 Core r_139_combined_call_with_bad_receive_name,
                140 Core r_140_receive_timeout,
                141 Core r_141_queued_message_and_timeout_zero,
                142 Core r_142_header_is_reversed,
                143 Core r_143_buffer_holds_message_and_trailer,
                144 Core r_144_too_large_destroys_the_message,
                145 Core r_145_large_keeps_the_message,
                146 Core r_146_large_identity_names_the_member,
                147 Ext r_147_large_with_no_buffer,
                148 Core r_148_trailer_sizes,
                149 Core r_149_sequence_numbers,
                150 Core r_150_audit_trailer,
                151 Core r_151_context_trailer,
                152 Core r_152_destroyed_while_receiving,
                153 Core r_153_moved_while_receiving,
                154 Core r_154_one_message_for_two_threads,
                155 Core r_155_direct_receive_from_a_member,
            }
            received_rights {
                156 Core r_156_send_right_joins_the_receive_right,
                157 Core r_157_send_rights_coalesce,
                158 Core r_158_receive_right_joins_send_rights,
                159 Core r_159_right_dies_in_a_queue,
                160 Core r_160_reply_port_dies_in_a_queue,
                161 Ext r_161_guarded_descriptor,
                162 Ext r_162_unwritable_buffer,
            }
            port_sets {
                163 Core r_163_insert_member,
                164 Core r_164_port_in_two_sets,
                165 Core r_165_extract_member,
                166 Core r_166_move_member,
                167 Core r_167_set_receive_names_the_member,
                168 Core r_168_set_receive_rotates,
                169 Core r_169_inserting_a_port_wakes_the_waiter,
                170 Core r_170_waiter_outlives_members,
                171 Core r_171_destroyed_set_wakes_the_waiter,
                172 Core r_172_moved_right_leaves_its_sets,
            }
            ool {
                173 Core r_173_virtual_copy_is_a_snapshot,
                174 Core r_174_physical_copy,
                175 Core r_175_deallocate_takes_every_page,
                176 Core r_176_memory_of_no_size,
                177 Core r_177_received_region_is_private,
                178 Core r_178_volatile_descriptor,
                179 Core r_179_arrays_of_rights,
                180 Core r_180_bad_element_of_an_array,
                181 Core r_181_empty_array,
                182 Ext r_182_physical_copies_are_bounded,
                183 Core r_183_vm_allocate,
            }
            transfer {
                184 Core r_184_moved_port_keeps_its_queue,
                185 Core r_185_port_in_transit_accepts_messages,
                186 Core r_186_cycles_of_ports_die,
                187 Core r_187_no_senders_request_moves_along,
                188 Core r_188_what_dies_with_a_task,
                189 Core r_189_long_chain_of_queued_ports,
            }
            bootstrap {
                190 Core r_190_check_in_and_look_up,
                191 Core r_191_check_in_twice,
                192 Core r_192_register,
                193 Core r_193_name_goes_with_its_owner,
                194 Ext r_194_declared_service_outlives_its_owner,
                195 Core r_195_longest_name,
                196 Core r_196_look_up_twice,
            }
            hygiene {
                197 Core r_197_destroying_a_received_message,
                198 Core r_198_forged_notification,
            }
            fileport {
                199 Ext r_199_fileport,
            }
        }
    };
}
#[allow(unused_imports)] // The program has the table; only the test harness makes tests of it.
pub(crate) use with_rules;

macro_rules! rules {
    ($($group:ident { $($number:literal $mark:ident $name:ident,)* })*) => {
        /// Every rule, in order.
        pub const RULES: &[Rule] = &[$($(Rule {
            number: $number,
            group: stringify!($group),
            name: stringify!($name),
            mark: Mark::$mark,
            check: $group::$name,
        },)*)*];
    };
}

with_rules!(rules);

/// Parts of rules in which Darwin kills the process that tries them.
pub const CASES: &[Case] = &[
    Case { name: "destruct_with_wrong_guard", body: refs::destruct_with_wrong_guard },
    Case { name: "mod_refs_of_guarded", body: refs::mod_refs_of_guarded },
    Case { name: "destroy_of_guarded", body: refs::destroy_of_guarded },
    Case { name: "unguard_with_wrong_guard", body: refs::unguard_with_wrong_guard },
    Case { name: "set_context_of_strict_guard", body: refs::set_context_of_strict_guard },
    Case { name: "move_of_immovable", body: body_copyin::move_of_immovable },
    Case { name: "move_of_reply_port", body: body_copyin::move_of_reply_port },
    Case { name: "move_with_other_guard", body: body_copyin::move_with_other_guard },
    Case { name: "guarded_move_of_unguarded", body: body_copyin::guarded_move_of_unguarded },
    Case { name: "unguarded_move_of_guarded", body: body_copyin::unguarded_move_of_guarded },
];
