; The hot-plug registers: what an operating system does by way of the DSDT's methods.

; Chooses slot EBX and returns its flags in EAX.
slot_flags:
        push    edx
        mov     eax, ebx
        mov     dx, SLOT_SELECT
        out     dx, eax
        mov     dx, SLOT_FLAGS
        in      al, dx
        movzx   eax, al
        pop     edx
        ret

; Writes AL to the flags of the chosen slot.
slot_command:
        push    edx
        mov     dx, SLOT_FLAGS
        out     dx, al
        pop     edx
        ret

; Reads where the memory in the chosen slot is.
slot_read:
        pushad
        mov     edi, dimm_base
        mov     edx, SLOT_BASE
        mov     ecx, 5                  ; base, size and node lie in the same order in memory
.next:
        in      eax, dx
        stosd
        add     edx, 4
        loop    .next
        popad
        ret

; _OST for slot EBX: source event ECX, status EAX.
slot_answer:
        pushad
        xchg    eax, ebx
        mov     dx, SLOT_SELECT
        out     dx, eax
        mov     eax, ecx
        mov     dx, SLOT_EVENT
        out     dx, eax
        mov     eax, ebx
        mov     dx, SLOT_STATUS
        out     dx, eax
        popad
        call    say_slot
        say     "ost event="
        xchg    eax, ecx
        call    serial_hex_32
        say     " status="
        xchg    eax, ecx
        call    serial_hex_32
        jmp     serial_newline

; Says which slot a line is about: EBX.
say_slot:
        say     "guest: slot "
        xchg    eax, ebx
        call    serial_decimal
        xchg    eax, ebx
        say     " "
        ret

; Says where the memory is that was read last, and ends the line.
say_dimm:
        push    eax
        push    edx
        say     "addr="
        mov     eax, [dimm_base]
        mov     edx, [dimm_base + 4]
        call    serial_hex
        say     " size="
        mov     eax, [dimm_size]
        mov     edx, [dimm_size + 4]
        call    serial_hex
        say     " node="
        mov     eax, [dimm_node]
        call    serial_decimal
        call    serial_newline
        pop     edx
        pop     eax
        ret

; Tests memory that is there without having been inserted: nobody waits for an answer.
slots_at_start:
        pushad
        xor     ebx, ebx
.next:
        cmp     ebx, [slots]
        jae     .end
        call    slot_flags
        and     al, SLOT_ENABLED | SLOT_INSERTED
        cmp     al, SLOT_ENABLED
        jne     .done
        call    slot_read
        call    say_slot
        say     "present "
        call    say_dimm
        call    memory_test
.done:
        inc     ebx
        jmp     .next
.end:
        popad
        ret

; Goes through all slots, as method MSCN does: of a slot that has both, the insertion first and only.
slots_scan:
        pushad
        xor     ebx, ebx
.next:
        cmp     ebx, [slots]
        jae     .end
        call    slot_flags
        test    al, SLOT_INSERTED
        jnz     .inserted
        test    al, SLOT_REMOVE
        jz      .done
        mov     al, SLOT_REMOVE
        call    slot_command
        call    slot_remove
        jmp     .done
.inserted:
        mov     al, SLOT_INSERTED
        call    slot_command
        call    slot_insert
.done:
        inc     ebx
        jmp     .next
.end:
        popad
        ret

; New memory in slot EBX, which is chosen: tests it and answers.
slot_insert:
        pushad
        call    slot_read
        call    say_slot
        say     "insert "
        call    say_dimm
        call    memory_test
        mov     ecx, OST_INSERT
        mov     eax, OST_SUCCESS
        cmp     dword [bad_words], 0
        je      .answer
        mov     eax, OST_FAILURE
.answer:
        call    slot_answer
        popad
        ret

; The memory in slot EBX shall go: does what the policy says.
slot_remove:
        pushad
        call    say_slot
        say     "remove asked", 10
        mov     ecx, OST_EJECT
        mov     eax, [policy]
        cmp     eax, POLICY_AGREE
        je      .agree
        cmp     eax, POLICY_SILENT
        je      .silent
        call    slot_answer
        call    say_slot
        say     "remove refused", 10
        jmp     .end
.silent:
        call    say_slot
        say     "remove ignored", 10
        jmp     .end
.agree:
        mov     eax, OST_PENDING
        call    slot_answer
        call    slot_flags
        call    slot_read
        mov     eax, [dimm_base]
        mov     edx, [dimm_base + 4]
        call    window_to
        mov     ecx, [edi]              ; the CPU knows the address now,
        mov     dx, SLOT_FLAGS
        mov     al, SLOT_EJECT
        out     dx, al
        mov     ecx, [edi]              ; and must find nothing there any more
        call    slot_flags
        call    say_slot
        test    al, SLOT_ENABLED
        jnz     .failed
        say     "removed reads="
        xchg    eax, ecx
        call    serial_hex_32
        call    serial_newline
        mov     ecx, OST_EJECT
        mov     eax, OST_SUCCESS
        call    slot_answer
        jmp     .end
.failed:
        say     "eject failed", 10
        mov     ecx, OST_EJECT
        mov     eax, OST_FAILURE
        call    slot_answer
.end:
        popad
        ret
