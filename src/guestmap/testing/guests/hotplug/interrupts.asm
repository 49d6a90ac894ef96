; The interrupt table, the two 8259, and the handlers. These only note what happened: the main loop
; acts on it, with interrupts enabled.

; Fills the table and sets the controllers up; interrupts stay off.
interrupts_start:
        pushad
        xor     ebx, ebx
        mov     eax, ignore_interrupt
.fill:
        call    set_gate
        inc     ebx
        cmp     ebx, 256
        jb      .fill
        xor     ebx, ebx
        mov     eax, exceptions
.exception:
        call    set_gate
        add     eax, EXCEPTION_BYTES
        inc     ebx
        cmp     ebx, 32
        jb      .exception
        mov     ebx, PIC_VECTORS + SERIAL_LINE
        mov     eax, serial_interrupt
        call    set_gate
        mov     ebx, PIC_VECTORS + SCI_LINE
        mov     eax, sci_interrupt
        call    set_gate
        mov     ebx, PIC_VECTORS + 15
        mov     eax, spurious_interrupt_2
        call    set_gate
        lidt    [idt_register]

        mov     al, 0x11                ; ICW1: edges, a pair, ICW4 follows
        out     PIC_1, al
        out     PIC_2, al
        mov     al, PIC_VECTORS
        out     PIC_1 + 1, al
        mov     al, PIC_VECTORS + 8
        out     PIC_2 + 1, al
        mov     al, 1 << 2              ; ICW3: the second one is on line 2
        out     PIC_1 + 1, al
        mov     al, 2
        out     PIC_2 + 1, al
        mov     al, 1                   ; ICW4: 8086 mode
        out     PIC_1 + 1, al
        out     PIC_2 + 1, al
        mov     al, ~(1 << 2 | 1 << SERIAL_LINE) & 0xFF
        out     PIC_1 + 1, al
        mov     al, ~(1 << SCI_LINE - 8) & 0xFF
        out     PIC_2 + 1, al
        mov     dx, LEVEL_LINES_2
        in      al, dx
        or      al, 1 << SCI_LINE - 8
        out     dx, al
        popad
        ret

; Makes EAX the handler of vector EBX.
set_gate:
        push    eax
        mov     [idt + ebx * 8], ax
        mov     word [idt + ebx * 8 + 2], FLAT_CODE
        mov     word [idt + ebx * 8 + 4], 0x8E00
        shr     eax, 16
        mov     [idt + ebx * 8 + 6], ax
        pop     eax
        ret

; The system control interrupt: memory came or shall go, or the power button was pressed. Clearing
; the status bit lets go of the line; what comes after that raises it again.
sci_interrupt:
        pushad
        mov     dx, GPE_STATUS
        in      al, dx
        and     al, GPE_MEMORY
        jz      .button
        out     dx, al
        mov     byte [memory_event], 1
.button:
        mov     edx, [pm1_event]
        test    edx, edx
        jz      .end
        in      ax, dx
        and     ax, PM1_BUTTON
        jz      .end
        out     dx, ax
        mov     byte [button_pressed], 1
.end:
        mov     al, 0x20                ; end of interrupt
        out     PIC_2, al
        out     PIC_1, al
        popad
        iretd

; Bytes came over the wire: all of them go into the ring.
serial_interrupt:
        pushad
.next:
        mov     dx, COM1_STATUS
        in      al, dx
        test    al, 1
        jz      .end
        mov     dx, COM1
        in      al, dx
        movzx   ecx, byte [typed_in]
        mov     [typed + ecx], al
        inc     byte [typed_in]
        jmp     .next
.end:
        mov     al, 0x20
        out     PIC_1, al
        popad
        iretd

; A line of the second controller that was let go too soon: the first one took it for real.
spurious_interrupt_2:
        push    eax
        mov     al, 0x20
        out     PIC_1, al
        pop     eax
ignore_interrupt:
        iretd

; Exceptions: each pushes its number, behind an error code of 0 where the CPU gives none.
%assign vector 0
exceptions:
%rep 32
%if !(vector == 8 || vector >= 10 && vector <= 14 || vector == 17)
        push    strict dword 0
%else
        times 5 nop
%endif
        push    strict dword vector
        jmp     strict near exception
%assign vector vector + 1
%endrep
EXCEPTION_BYTES equ     ($ - exceptions) / 32

exception:
        say     10, "guest: exception vector="
        pop     eax
        call    serial_hex_32
        say     " error="
        pop     eax
        call    serial_hex_32
        say     " eip="
        pop     eax
        call    serial_hex_32
        say     " cr2="
        mov     eax, cr2
        call    serial_hex_32
        call    serial_newline
        jmp     halt

        align   8, db 0
idt_register:
        dw      256 * 8 - 1
        dd      idt
