; COM1: 115200 bits per second, 8 data bits, FIFOs on; an interrupt for each byte that comes.

serial_start:
        pushad
        mov     esi, .settings
.next:
        movzx   edx, byte [esi]
        mov     al, [esi + 1]
        add     esi, 2
        add     edx, COM1
        out     dx, al
        cmp     esi, .end
        jb      .next
        popad
        ret
.settings:
        db      COM1_ENABLE - COM1, 0
        db      COM1_LINE - COM1, 0x80  ; the next two are the divisor
        db      0, 1
        db      1, 0
        db      COM1_LINE - COM1, 0x03
        db      COM1_FIFO - COM1, 0x07  ; on, and empty
        db      COM1_MODEM - COM1, 0x0B ; terminal ready, request to send, interrupts pass
        db      COM1_ENABLE - COM1, 1
.end:

; Sends AL.
serial_byte:
        push    edx
        push    eax
        mov     dx, COM1_STATUS
.wait:
        in      al, dx
        test    al, 0x20
        jz      .wait
        pop     eax
        mov     dx, COM1
        out     dx, al
        pop     edx
        ret

serial_newline:
        push    eax
        mov     al, 10
        call    serial_byte
        pop     eax
        ret

; Sends the text that follows the call, up to a zero byte, and returns behind it; see "say".
serial_text:
        xchg    esi, [esp]
        push    eax
.next:
        lodsb
        test    al, al
        jz      .end
        call    serial_byte
        jmp     .next
.end:
        pop     eax
        xchg    esi, [esp]
        ret

; Sends EAX as a decimal number.
serial_decimal:
        pushad
        mov     ebx, 10
        xor     ecx, ecx
.split:
        xor     edx, edx
        div     ebx
        push    edx
        inc     ecx
        test    eax, eax
        jnz     .split
.send:
        pop     eax
        add     al, "0"
        call    serial_byte
        loop    .send
        popad
        ret

; Sends EAX as a hexadecimal number.
serial_hex_32:
        push    edx
        xor     edx, edx
        call    serial_hex
        pop     edx
        ret

; Sends EDX:EAX as a hexadecimal number, without leading zeros.
serial_hex:
        pushad
        say     "0x"
        xor     edi, edi                ; not 0 from the first digit on that is not
        mov     ecx, 16
.digit:
        mov     ebx, edx
        shr     ebx, 28
        shld    edx, eax, 4
        shl     eax, 4
        or      edi, ebx
        jnz     .send
        cmp     ecx, 1
        jne     .skip
.send:
        push    eax
        mov     al, [digits + ebx]
        call    serial_byte
        pop     eax
.skip:
        loop    .digit
        popad
        ret

digits:
        db      "0123456789abcdef"
