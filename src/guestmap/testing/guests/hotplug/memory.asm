; The memory test: all of the new memory is written before any of it is read, so that memory which
; shows in two places is found out. Of each 2 MiB block the first and the last eight bytes are used;
; what they hold tells their address.

PATTERN_LOW     equ     0x6D657367
PATTERN_HIGH    equ     0xC35AA53C

; Writes and reads back the memory that was read last, of slot EBX, and says what came of it.
memory_test:
        pushad
        mov     esi, fill_word
        call    for_each_block
        call    memory_verify
        call    say_slot
        cmp     dword [bad_words], 0
        jne     .bad
        say     "ok blocks="
        call    serial_decimal
        call    serial_newline
        jmp     .end
.bad:
        say     "bad "
        call    say_bad
.end:
        popad
        ret

; Compares the memory with what the test writes. Returns the number of blocks in EAX.
memory_verify:
        push    esi
        mov     dword [bad_words], 0
        mov     esi, verify_word
        call    for_each_block
        pop     esi
        ret

; Says what was found wrong, and ends the line.
say_bad:
        push    eax
        push    edx
        say     "words="
        mov     eax, [bad_words]
        call    serial_decimal
        say     " first="
        mov     eax, [bad_first]
        mov     edx, [bad_first + 4]
        call    serial_hex
        call    serial_newline
        pop     edx
        pop     eax
        ret

; Calls ESI for the first and the last eight bytes of each block, with their physical address in
; EDX:EAX and their linear one in EDI. Returns the number of blocks in EAX. The last block may be
; shorter than the others.
for_each_block:
        push    ebx
        push    ecx
        push    edx
        push    edi
        mov     eax, [dimm_base]
        mov     [block_at], eax
        mov     eax, [dimm_base + 4]
        mov     [block_at + 4], eax
        mov     eax, [dimm_size]
        mov     [block_left], eax
        mov     eax, [dimm_size + 4]
        mov     [block_left + 4], eax
        xor     ebx, ebx
.next:
        mov     eax, [block_left]
        or      eax, [block_left + 4]
        jz      .end
        mov     ecx, BLOCK
        cmp     dword [block_left + 4], 0
        jne     .whole
        cmp     [block_left], ecx
        jae     .whole
        mov     ecx, [block_left]
.whole:
        mov     eax, [block_at]
        mov     edx, [block_at + 4]
        call    window_to
        call    esi
        lea     edi, [edi + ecx - 8]
        add     eax, ecx
        adc     edx, 0
        mov     [block_at], eax
        mov     [block_at + 4], edx
        sub     eax, 8
        sbb     edx, 0
        call    esi
        sub     [block_left], ecx
        sbb     dword [block_left + 4], 0
        inc     ebx
        jmp     .next
.end:
        mov     eax, ebx
        pop     edi
        pop     edx
        pop     ecx
        pop     ebx
        ret

fill_word:
        push    eax
        push    edx
        xor     eax, PATTERN_LOW
        xor     edx, PATTERN_HIGH
        mov     [edi], eax
        mov     [edi + 4], edx
        pop     edx
        pop     eax
        ret

verify_word:
        push    eax
        push    edx
        xor     eax, PATTERN_LOW
        xor     edx, PATTERN_HIGH
        cmp     [edi], eax
        jne     .bad
        cmp     [edi + 4], edx
.bad:
        pop     edx
        pop     eax
        je      .end
        cmp     dword [bad_words], 0
        jne     .count
        mov     [bad_first], eax
        mov     [bad_first + 4], edx
.count:
        inc     dword [bad_words]
.end:
        ret
