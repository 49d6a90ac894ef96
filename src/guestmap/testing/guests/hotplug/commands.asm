; Commands from the serial port: lines of a letter and hexadecimal numbers.

; Takes one byte that came; at the end of a line, does what it says.
command_byte:
        pushad
        movzx   ecx, byte [typed_out]
        mov     al, [typed + ecx]
        inc     byte [typed_out]
        cmp     al, 10
        je      .end_of_line
        mov     ecx, [line_length]
        cmp     ecx, 255
        jae     .end
        mov     [line + ecx], al
        inc     dword [line_length]
        jmp     .end
.end_of_line:
        mov     ecx, [line_length]
        mov     byte [line + ecx], 0
        mov     dword [line_length], 0
        mov     esi, line
        lodsb
        mov     edi, commands
.look:
        cmp     byte [edi], 0
        je      .unknown
        cmp     [edi], al
        je      .known
        add     edi, 5
        jmp     .look
.known:
        call    [edi + 1]
        jmp     .end
.unknown:
        say     "guest: what?", 10
.end:
        popad
        ret

; Letters, and the routines that are called with the rest of the line at ESI. They may change
; everything.
commands:
        db      "a"
        dd      command_agree
        db      "r"
        dd      command_refuse
        db      "s"
        dd      command_silent
        db      "p"
        dd      command_read
        db      "w"
        dd      command_write
        db      "c"
        dd      command_compare
        db      "o"
        dd      power_off
        db      "z"
        dd      command_reset
        db      "h"
        dd      command_halt
        db      0

; Reads a hexadecimal number at ESI, which moves behind it, into EDX:EAX; 0 where there is none.
read_number:
        push    ebx
        push    ecx
        xor     eax, eax
        xor     edx, edx
        dec     esi
.space:
        inc     esi
        cmp     byte [esi], " "
        je      .space
.digit:
        movzx   ebx, byte [esi]
        cmp     bl, "x"                 ; of the 0x in front
        je      .skip
        mov     ecx, 16
.which:
        dec     ecx
        js      .end
        cmp     [digits + ecx], bl
        jne     .which
        shld    edx, eax, 4
        shl     eax, 4
        or      eax, ecx
.skip:
        inc     esi
        jmp     .digit
.end:
        pop     ecx
        pop     ebx
        ret

command_agree:
        mov     dword [policy], POLICY_AGREE
        say     "guest: policy agree", 10
        ret

command_silent:
        mov     dword [policy], POLICY_SILENT
        say     "guest: policy silent", 10
        ret

command_refuse:
        call    read_number
        cmp     eax, POLICY_SILENT      ; not a reason to refuse
        ja      .reason
        mov     eax, OST_BUSY
.reason:
        mov     [policy], eax
        say     "guest: policy refuse", 10
        ret

command_read:
        call    read_number
        call    window_to
        say     "guest: read addr="
        call    serial_hex
        mov     eax, [edi]
        jmp     say_value

command_write:
        call    read_number
        call    window_to
        mov     ebx, eax
        mov     ecx, edx
        call    read_number
        mov     [edi], al
        xchg    eax, ebx
        mov     edx, ecx
        say     "guest: write addr="
        call    serial_hex
        movzx   eax, bl
; Says that the value was EAX, and ends the line.
say_value:
        say     " value="
        call    serial_hex_32
        jmp     serial_newline

command_compare:
        call    read_number
        mov     ebx, eax
        call    slot_flags
        call    say_slot
        test    al, SLOT_ENABLED
        jz      .empty
        call    slot_read
        call    memory_verify
        cmp     dword [bad_words], 0
        jne     .changed
        say     "same blocks="
        call    serial_decimal
        jmp     serial_newline
.changed:
        say     "changed "
        jmp     say_bad
.empty:
        say     "empty", 10
        ret

command_reset:
        say     "guest: reset", 10
        mov     dx, RESET_CONTROL
        mov     al, 2                   ; a full reset,
        out     dx, al
        mov     al, 6                   ; now
        out     dx, al
        jmp     halt

command_halt:
        say     "guest: halt", 10
halt:
        cli
        hlt
        jmp     halt
